/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.h - one node of a tenant: its transactions on their way through batches.
 *
 * A batch runs in two phases. Cold: each transaction locks its cold keys at their owners, all or none,
 * and executes them there; one without hot operations commits at once, the others keep their locks.
 * Hot: when the switch's blocks are granted and filled, hot operations run in the switch; the reply
 * commits the transaction and frees its locks. Whatever gets in the way undoes the cold part and
 * carries the transaction over to the next batch. Locks are held until the commit, and the hot part
 * is atomic in the switch, so commit order is a serial order.
 *
 * Files: work.c (one transaction), cold.c and hot.c (the phases), node.c (batches), report.c.
 */
#ifndef NODE_H
#define NODE_H

#include <p4alloc.h>

#include "history.h"
#include "peer.h"
#include "store.h"
#include "trace.h"

#define NODE_COUNTS 4096		/* keys of which a node keeps counts */
#define NODE_ROUNDS_MAX 1000		/* batches, the cold ones at the end included */

enum work_state {
	WORK_TODO,
	WORK_ACCESSING,			/* cold part is under way */
	WORK_PREPARED,			/* cold part done, locks held: waits for its hot part */
	WORK_SENT,			/* hot part is under way */
	WORK_IN_DOUBT,			/* sent, and it may have been done: the logs may tell */
	WORK_OVER,			/* committed, aborted or unknown */
};

struct work {				/* a transaction of the trace */
	uint32_t number;
	enum work_state state;
	unsigned int n;
	unsigned int asked;		/* owners that have not answered yet */
	bool refused;			/* an owner said no */
	bool aborts;			/* because a value would be below 0 */
	bool late;			/* owners are asked that need results of others */
	uint64_t held;			/* owners at which locks are held: bit = node */
	struct p4a_plan plan;		/* nothing hot: runs cold as a whole */
	struct history_op ops[TRACE_OPS_MAX];
};

struct node;

struct node_config {
	const char *name;		/* of the program */
	struct peer_self self;
	enum start start;		/* what keys hold at first */
	/* A transaction has committed; ops with their results. NULL: nobody wants to know. */
	void (*committed)(void *arg, uint32_t number, const struct history_op *ops, unsigned int n);
	/* All have ended and values are in the stores. 0, or -errno and node_fail() was called. */
	int (*check)(void *arg, struct node *n);
	void *arg;			/* of both */
	unsigned int batches;		/* that the trace is split into */
	unsigned int want_blocks, flows;
	uint32_t duration_us;		/* to declare */
	uint32_t relayout;		/* 1: after each batch, by what was accessed */
	const char *history, *summary;	/* files to write; NULL: none */
	const char *log;		/* directory of all nodes' logs; NULL: none is kept */
	uint32_t log_sync;		/* enum p4a_log_sync */
};

struct node_stats {
	uint64_t hot, mixed, cold;	/* committed, by where their operations ran */
	uint64_t hot_ops;		/* in the switch, committed */
	uint64_t hot_key_ops;		/* on keys of the hot set, committed, wherever they ran */
	uint64_t aborted, unknown, stale, conflicts;
	uint64_t locked, in_switch;	/* carried over: a lock was taken, a key was in the switch */
	uint64_t layouts;		/* built from what all nodes have observed */
	uint64_t expired;		/* grants lost to the lease */
	uint64_t replayed;		/* of these, with values that only the logs still had */
	uint64_t settled;		/* transactions of which only others' logs told that they were done */
	unsigned int rounds, grants;
	uint64_t wait_us[NODE_ROUNDS_MAX];	/* for each grant, from the end of the cold phase */
	uint64_t epoch[NODE_ROUNDS_MAX];
	uint64_t cold_us, hot_us, fill_us, drain_us, total_us;
	size_t cells;			/* own keys in the switch, last grant */
};

struct node {
	struct node_config cfg;
	struct trace trace;
	struct store *store;
	struct peer_server *server;
	struct peer_client *client;
	struct p4a_ctx *ctx;
	struct p4a_layout *layout;	/* NULL: everything is cold */
	struct p4a_counts *counts;	/* of accesses; NULL: the layout stays */
	struct history_log *log;
	struct node_stats stats;
	struct work *work;		/* of this batch */
	size_t nr_work;
	uint32_t next;			/* first transaction of the trace not begun yet */
	uint32_t *hot_keys;		/* own keys of the hot set */
	struct p4a_kv *hot_kv;
	size_t nr_hot;
	unsigned int window;		/* requests outstanding in a cold round */
	bool stuck;			/* no node got anywhere in the last cold round */
	unsigned int sums;		/* made with the peers */
	bool requested;			/* the next grant is asked for */
	bool filled;			/* own hot keys live in the switch */
	uint64_t epoch;			/* of the grant */
	uint64_t last_cold_us, last_cold_txns;	/* what the last cold phase took, for how many */
	uint64_t started_us, shown_us;
	char error[256];
};

/* ------------------------------------------------------------------ work.c */

void work_init(struct work *w, const struct node *n, uint32_t number);
/* Decides how it runs: with `blocks` blocks of the hot set in the switch, 0 for none. */
void work_plan(struct work *w, const struct node *n, unsigned int blocks);
int work_commit(struct node *n, struct work *w, uint64_t serial, uint64_t epoch);
int work_undo(struct node *n, struct work *w);		/* to WORK_TODO */
int work_abort(struct node *n, struct work *w);
void work_unknown(struct node *n, struct work *w);	/* keeps its locks: it may have happened */

/* ------------------------------------------------------------------ phases */

int cold_phase(struct node *n, unsigned int window);	/* window: requests outstanding */
int hot_phase(struct node *n);		/* from waiting for the grant until all have run */
int hot_finish(struct node *n);		/* write back; afterwards the blocks may go */

/* ------------------------------------------------------------------ node.c */

enum node_step { NODE_HOT, NODE_COLD, NODE_END };

/* What all nodes do in `round` (1, 2 ...), given the transactions left over all nodes. */
enum node_step node_next_step(unsigned int round, unsigned int batches, uint64_t left);

/* Requests outstanding in the next cold round. */
unsigned int node_next_window(unsigned int window, uint64_t committed, uint64_t tried);
bool node_has_turn(unsigned int node, unsigned int nodes, unsigned int round, bool stuck);

/* The layout from now on, and which own keys it has in the switch. 0, or -errno of p4a_use_layout(). */
int node_use_layout(struct node *n, struct p4a_layout *layout);

/* Adds up a number over all nodes, modulo 2^32, once the rounds are over: 0, or -errno. */
int node_sum(struct node *n, uint32_t *number);

/* Index of the first transaction that is not of rounds 1 .. round any more. */
uint32_t node_slice_end(uint32_t txns, unsigned int batches, unsigned int round);

/* How long a cold phase will take, given that one of `done` transactions took cold_us. */
uint32_t node_start_us(uint64_t cold_us, uint64_t done, uint64_t coming);

/* The allocator is away, but may come back: the call can be made again. */
bool node_again(int rc, unsigned int *tries);

/* What a call of the library ends with that is made again as long as that helps. */
#define NODE_AGAIN(call) ({						\
	unsigned int tries_ = 0;					\
	int rc_;							\
									\
	do								\
		rc_ = (call);						\
	while (node_again(rc_, &tries_));				\
	rc_; })

int node_request(struct node *n);
int node_run(struct node *n);		/* 0, or -errno and n->error */
int node_fail(struct node *n, int rc, const char *what, const char *why);
void node_free(struct node *n);		/* what it has; its peers' links may be closed after it */
uint64_t node_now_us(void);

/* ------------------------------------------------------------------ report.c */

void report_progress(struct node *n, const char *phase, bool force);
int report_finals(struct node *n);
int report_summary(struct node *n);	/* JSON; 0 or -errno */

#endif /* NODE_H */
