/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay.h - what replay.c makes of the records that replay_read.c has collected. */
#ifndef P4A_REPLAY_H
#define P4A_REPLAY_H

#include "error.h"
#include "log_record.h"

struct p4a_replay_op {
	uint64_t key;
	uint32_t operand;
	uint32_t before;		/* of a committed one */
	uint8_t code;
};

struct p4a_replay_intent {
	uint64_t seq, epoch, user;
	uint64_t serial;		/* this and the next three by p4a_replay_run() */
	uint64_t answered;		/* OK of its own log: seq of the RESULT */
	int32_t err;
	uint8_t status;
	uint8_t count;
	uint16_t node;
	size_t op;			/* ops[op] .. ops[op + count - 1] */
};

struct p4a_replay_result {
	uint64_t seq, intent, serial;
	int32_t err;
	uint8_t status;
	uint8_t count;
	uint16_t node;
	uint32_t value[P4A_MAX_INSTRS];
};

struct p4a_replay_cells {
	uint64_t epoch, serial;
	uint8_t count;
	bool drain;
	uint64_t key[P4A_MAX_INSTRS];
	uint32_t value[P4A_MAX_INSTRS];
};

struct p4a_replay_grant {
	uint64_t epoch;
	uint32_t batch, segment;
	uint16_t node;
	uint16_t nodes;			/* of the tenant then */
	bool over;			/* an END of it, or of a later one, comes after it in the same file */
	bool ended;			/* and no drain after that */
	uint64_t end;			/* highest batch of an END before the next GRANT, plus 1; 0: none */
};

struct p4a_replay_batch {		/* what all nodes say of a grant */
	uint64_t epoch;
	uint64_t begun;			/* bit n: node n has begun it in its log */
	uint64_t going, open;		/* bit n: in a file where it is not over, or not ended */
	uint64_t gaps;			/* serials no log has */
	uint64_t breaks;		/* values found that nobody has left */
	uint32_t batch;
	uint32_t looks;			/* of p4a_replay_aborts(), so far */
	uint16_t nodes;			/* of the tenant then */
};

struct p4a_place {			/* a commit serial that a log has */
	uint64_t epoch, serial;
	bool txn;
};

/* A list that grows; elements are moved when it does. */
struct p4a_list {
	void *data;
	size_t n, room;
};

/* Room for one more element of that size at the end, zeroed; NULL: no memory. */
void *p4a_list_add(struct p4a_list *list, size_t size);

struct p4a_replay {
	uint32_t tenant;
	/* Collected: */
	struct p4a_list intents, ops, results, cells, grants;
	uint32_t ended[P4A_MAX_NODES];	/* highest batch of which a node has an END, begun or not */
	uint64_t seen;			/* bit n: a log of node n was added */
	uint32_t nodes;
	uint64_t damaged, torn, beheaded;
	size_t first;			/* of the file being read: its grants are grants[first] and on */
	/* Made by p4a_replay_run(): */
	struct p4a_list batches;	/* struct p4a_replay_batch, by epoch */
	struct p4a_list serials;	/* struct p4a_place, in order */
	struct p4a_list touches;	/* struct p4a_touch (settle.h), by key and place */
	struct p4a_list values;		/* struct p4a_replayed, by key */
	struct p4a_list order;		/* size_t: intents as p4a_replay_txn() shows them */
	struct p4a_list by_epoch;	/* size_t: intents by epoch, if an epoch is to be settled */
	struct p4a_replay_info info;
	uint64_t looked_at;		/* records, so far, to settle epochs: for tests */
	uint64_t marked;		/* grants, so far, looked at for whether they are over: likewise */
};

/* Which grants there were, and who has ended them: 0 or -ENOMEM. */
int p4a_replay_batches(struct p4a_replay *r);
/* NULL: no log has it. */
struct p4a_replay_batch *p4a_replay_batch(const struct p4a_replay *r, uint64_t epoch);
/* The last batch above `after`, and whose logs it lacks, or may get more of. */
void p4a_replay_judge(struct p4a_replay *r, uint64_t after);

#endif
