/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace.h - a trace: the transactions that one node of a tenant shall run, as text.
 *
 * One transaction a line, its operations joined by `;`: `r KEY`, `w KEY VALUE`, `a KEY DELTA`; also c
 * (conditional add), f (refill) and, in transactions that a program makes itself, those with flags.
 * Decimal numbers; no key twice in a transaction; empty lines and lines that start with # are
 * skipped. Transactions are numbered from 0 in file order.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <p4alloc.h>

#define TRACE_OPS_MAX	16		/* operations in a transaction */
#define TRACE_KEYS_MAX	1000000000u	/* keys are 0 .. keys-1 */

enum trace_kind {			/* enum p4a_op_code, and its flags */
	TRACE_READ = P4A_READ,
	TRACE_WRITE = P4A_WRITE,
	TRACE_ADD = P4A_ADD,
	TRACE_CADD = P4A_CADD,
	TRACE_REFILL = P4A_REFILL,
	TRACE_CHARGE = P4A_CHARGE,
	TRACE_SOURCE = P4A_SOURCE,
	TRACE_DEPENDENT = P4A_DEPENDENT,
};

struct trace_op {
	uint32_t key;
	uint32_t operand;		/* VALUE or DELTA modulo 2^32; READ: 0 */
	uint8_t kind;			/* enum trace_kind */
};

struct trace {
	struct trace_op *ops;		/* of all transactions, one after the other */
	uint32_t *first;		/* transaction t: ops[first[t]] .. ops[first[t + 1] - 1] */
	uint32_t txns;
};

struct trace_error {
	char text[256];			/* "FILE:LINE: FIELD ..." */
};

static inline unsigned int trace_len(const struct trace *t, uint32_t txn)
{
	return t->first[txn + 1] - t->first[txn];
}

static inline const struct trace_op *trace_ops(const struct trace *t, uint32_t txn)
{
	return t->ops + t->first[txn];
}

/*
 * Parses one line without its newline. Returns the number of operations, 0 for a line to be skipped,
 * or -EINVAL and an error text that starts with `where`.
 */
int trace_parse_line(const char *where, const char *line, uint32_t keys,
		     struct trace_op ops[TRACE_OPS_MAX], struct trace_error *err);

/* Reads a whole file; 0, or -errno and an error text, with *t untouched. */
int trace_read(struct trace *t, const char *path, uint32_t keys, struct trace_error *err);
void trace_free(struct trace *t);

/* A trace without transactions and with room for `txns`, 0 or -ENOMEM; and one more of them. */
int trace_new(struct trace *t, uint32_t txns);
void trace_add(struct trace *t, const struct trace_op *ops, unsigned int n);

/* Writes one transaction as a line. */
void trace_write_txn(FILE *f, const struct trace_op *ops, unsigned int n);

/*
 * 'r', 'w', 'a', 'c', 'f', 'k' (charge); sources 'R', 'W'; dependent 'd' (add), 'K' (charge); '?' for others.
 */
char trace_kind_letter(unsigned int kind);
unsigned int trace_kind_of(char letter);		/* 0 for other letters */

/* The value of a key before anything was done to it. Never 0, so that an empty cell shows. */
uint32_t trace_initial(uint32_t key);

#endif /* TRACE_H */
