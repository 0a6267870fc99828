/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec.h - a packet program as text, the way p4c-dpdk writes it (.spec), in memory.
 * spec_parse() knows the grammar, spec_check() what names and instructions mean and which programs
 * the pipeline would execute wrongly. Both fill `err` with "FILE:LINE: what is wrong" and leave
 * nothing behind when they fail.
 */
#ifndef P4SWITCH_SPEC_H
#define P4SWITCH_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_NAME	64	/* the pipeline's own limit, with the NUL */
#define SPEC_TOKENS	16	/* in one line */
#define SPEC_ERR	256

struct spec_field {
	char name[SPEC_NAME];
	unsigned int bits;
	unsigned int offset;		/* in bits, from the start of the structure */
};

struct spec_struct {
	char name[SPEC_NAME];
	int line;
	struct spec_field *fields;
	size_t nr_fields;
};

struct spec_header {
	char name[SPEC_NAME];
	char type[SPEC_NAME];
	int line;
};

struct spec_array {
	char name[SPEC_NAME];
	int line;
	uint32_t size;
	uint64_t initval;
};

struct spec_instr {
	int line;
	int nr_tokens;
	char label[SPEC_NAME];		/* "" if none */
	char token[5][SPEC_NAME];	/* without the label */
};

struct spec_code {
	struct spec_instr *instr;
	size_t nr;
};

struct spec_action {
	char name[SPEC_NAME];
	char args[SPEC_NAME];		/* structure, "" if none */
	int line;
	struct spec_code code;
};

struct spec_key {
	char field[SPEC_NAME];
	char match[SPEC_NAME];
	int line;
};

struct spec_table {
	char name[SPEC_NAME];
	int line;
	struct spec_key *keys;
	size_t nr_keys;
	char (*actions)[SPEC_NAME];
	size_t nr_actions;
	char default_action[SPEC_NAME];
	bool default_const;
	uint32_t size;
};

struct spec {
	char file[SPEC_NAME];
	char metadata[SPEC_NAME];	/* structure */
	int metadata_line;
	struct spec_struct *structs;
	size_t nr_structs;
	struct spec_header *headers;
	size_t nr_headers;
	struct spec_array *arrays;
	size_t nr_arrays;
	struct spec_action *actions;
	size_t nr_actions;
	struct spec_table *tables;
	size_t nr_tables;
	struct spec_code apply;
};

int  spec_parse(struct spec *spec, const char *file, const char *text, char err[SPEC_ERR]);
int  spec_load(struct spec *spec, const char *path, char err[SPEC_ERR]);
void spec_free(struct spec *spec);

/*
 * Refuses what the pipeline would take silently and execute wrongly: a write to a register array
 * with both index and value constant (it goes to array 0), and a read-modify-write of a register
 * array with a table or rx in between (another packet runs there). A port number that
 * does not exist must not reach tx: the check is put in front of each.
 */
int  spec_check(struct spec *spec, unsigned int nr_ports, char err[SPEC_ERR]);

const struct spec_struct *spec_struct(const struct spec *spec, const char *name);
const struct spec_array  *spec_array(const struct spec *spec, const char *name);
/* As the source has it: "owner" is the compiler's owner_0 if it is declared inside of a control. */
const struct spec_array  *spec_declared(const struct spec *spec, const char *name);
/* How many r0, r1 .. there are; the first `max` of them into r. */
unsigned int spec_registers(const struct spec *spec, const struct spec_array **r, unsigned int max);
const struct spec_action *spec_action(const struct spec *spec, const char *name);
const struct spec_table  *spec_table(const struct spec *spec, const char *name);
int spec_error(const struct spec *spec, int line, char err[SPEC_ERR], const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void *spec_grow(void **array, size_t *nr, size_t size);	/* a zeroed new last element; aborts */

#endif
