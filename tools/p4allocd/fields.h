/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fields.h - structures as lines of text, `name=value name=value`, and back. Pure.
 *
 * A table says which fields of a structure are meant, by which name, and which values they may
 * have. A field that a line does not name is left as it is.
 */
#ifndef P4D_FIELDS_H
#define P4D_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P4D_LINES_MAX 4096	/* a tenant with two batches of 64 nodes needs 3.4 KB */

enum p4d_field_kind {
	P4D_NUMBER,
	P4D_SIGNED,
	P4D_BLOCKS,		/* struct p4d_blocks, in hexadecimal digits of its wire form */
	P4D_RANGES,		/* P4W_NODES_MAX struct p4d_range, likewise */
};

struct p4d_field {		/* a table ends with one without a name */
	const char *name;
	size_t at, size;
	uint64_t min, max;
	enum p4d_field_kind kind;
};

struct p4d_lines_out {
	size_t len;
	char text[P4D_LINES_MAX];
};

void p4d_fields_put(struct p4d_lines_out *l, const struct p4d_field *f, const void *base);
void p4d_fields_word(struct p4d_lines_out *l, const char *word);	/* and a space */
/* The space behind the last field becomes the end of the line. */
void p4d_fields_end(struct p4d_lines_out *l);

struct p4d_lines_in {
	const char *rest, *end;		/* of the text */
	const char *at, *stop;		/* of the line that is being read */
	const char *bad;		/* what is wrong, once something is */
};

bool p4d_fields_spoil(struct p4d_lines_in *l, const char *bad);	/* false */
bool p4d_fields_next(struct p4d_lines_in *l);		/* to the next line; false: there is none */
bool p4d_fields_skip(struct p4d_lines_in *l, const char *word);	/* over it, if it stands here */
/* The rest of the line: fields of either table (fb may be NULL). False: see bad. */
bool p4d_fields_get(struct p4d_lines_in *l, const struct p4d_field *fa, void *a,
		    const struct p4d_field *fb, void *b);

#endif /* P4D_FIELDS_H */
