/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history.h - what one node of a tenant did, as text, for the oracle.
 *
 *	history 1 tenant T node N of M keys K txns X start S
 *	C NUMBER SERIAL EPOCH;OP;OP...	committed transaction of the trace; serial 0: nothing hot in it
 *	A NUMBER			aborted: took no effect
 *	U NUMBER			unknown: nobody can tell
 *	L EPOCH UNSEEN			its values came from the logs, without so many serials, which
 *					nobody has seen
 *	F KEY VALUE VERSION		own key in the end, and how often it was accessed in the store
 *	end LINES			lines before this one; without it the file is not complete
 *
 * OP is `hKIND KEY OPERAND GOT` for an operation in the switch or `cKIND KEY OPERAND GOT VERSION
 * EPOCH` for one in the owner's store; KIND is trace_kind_letter(), GOT the value before the operation, S start_name().
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "start.h"
#include "trace.h"

#define HISTORY_VERSION 1

struct history_op {
	struct trace_op op;
	bool hot;
	uint32_t got;
	uint32_t version;		/* cold: struct store_result */
	uint64_t epoch;			/* cold: likewise */
};

struct history_head {
	uint32_t tenant, keys, txns;
	unsigned int node, nodes;
	enum start start;
};

/* ------------------------------------------------------------------ writing */

struct history_log;

struct history_log *history_create(const char *path, const struct history_head *head);
void history_commit(struct history_log *log, uint32_t number, uint64_t serial, uint64_t epoch,
		    const struct history_op *ops, unsigned int n);
void history_aborted(struct history_log *log, uint32_t number);
void history_unknown(struct history_log *log, uint32_t number);
void history_logs(struct history_log *log, uint64_t epoch, uint64_t unseen);
void history_final(struct history_log *log, uint32_t key, uint32_t value, uint32_t version);
int history_close(struct history_log *log);	/* 0, or -errno: the file is not complete */

/* ------------------------------------------------------------------ reading */

struct history_commit {
	uint32_t number;
	uint64_t serial, epoch;
	size_t first;			/* ops[first] .. ops[first + n - 1] */
	unsigned int n;
};

struct history_logs {
	uint64_t epoch, unseen;
};

struct history_key {
	uint32_t key, value, version;
};

struct history {
	struct history_head head;
	struct history_commit *commits;
	struct history_op *ops;
	uint32_t *aborted, *unknown;
	struct history_logs *logs;
	struct history_key *finals;
	size_t nr_commits, nr_ops, nr_aborted, nr_unknown, nr_logs, nr_finals;
	bool cut;			/* may lack lines */
};

/* 0, or -errno and an error text that names file, line and field. */
int history_read(struct history *h, const char *path, struct trace_error *err);

/* Likewise, of a node that was killed: what it wrote may end anywhere. */
int history_read_cut(struct history *h, const char *path, struct trace_error *err);
void history_free(struct history *h);

#endif /* HISTORY_H */
