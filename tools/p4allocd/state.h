/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - what the allocator knows: tenants, their nodes, their batches.
 *
 * A tenant has at most one batch that holds blocks (cur) and one reservation for a later batch
 * (next). Only grant.c changes what holds blocks; store.c and status.c read.
 */
#ifndef P4D_STATE_H
#define P4D_STATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "account.h"
#include "blocks.h"
#include "check.h"
#include "divide.h"
#include "flows.h"
#include "history.h"
#include "keys.h"
#include "proto.h"

#define P4D_NAME_MAX	31
#define P4D_WAITS	1024	/* waits remembered for the quantiles */
#define P4D_ANYBODY	UINT32_MAX
#define P4D_SETS_MAX	16	/* escrow sets of a tenant that nobody fetched */

struct p4d_named;
struct p4d_lockcells;

struct p4d_geometry {
	uint32_t registers;
	uint32_t blocks;	/* 0: not known */
	uint32_t flows;
	uint32_t dependent;	/* the last of the registers */
};

struct p4d_policy {
	uint32_t lease_max_us;
	uint32_t grace_us;
};

struct p4d_tenant_conf {
	uint32_t id;
	char name[P4D_NAME_MAX + 1];
	uint32_t weight;
	uint32_t min_blocks;
	uint32_t max_blocks;
};

struct p4d_who {		/* an RPC that must be answered once */
	uint64_t rpc;
	struct sockaddr_in peer;
	uint32_t life;		/* server.c's */
};

/* A request that is answered later: it is dispatched again when what it waits for may have come. */
enum p4d_hold {
	P4D_HOLD_GRANT,		/* REQUEST, WAIT: until the blocks are ours */
	P4D_HOLD_SYNC,		/* SYNC: until the others are there */
	P4D_HOLD_DRAIN,		/* HELLO, FETCH: until the cells are in the store */
	P4D_HOLD_LOCKS,		/* LOCK_INFO: until the others' lists are there */
	P4D_HOLD_RESIZE,	/* RESIZE: until the others, and the switch, have come so far */
	P4D_HOLDS
};

struct p4d_held {
	bool used;
	struct p4d_who who;
	struct p4d_request req;
};

struct p4d_node {
	uint8_t phase;		/* that it has reached in the current batch */
	struct p4d_held held[P4D_HOLDS];
};

enum p4d_batch_state {
	P4D_RESERVED,		/* waits for its turn */
	P4D_GIVING,		/* blocks are chosen, the switch is being told */
	P4D_HELD,		/* granted */
	P4D_TAKING,		/* fenced, or about to be; the switch is being told */
};

enum p4d_end {
	P4D_END_NONE,
	P4D_END_FREED,		/* the nodes were done, or had left */
	P4D_END_EXPIRED,	/* taken away: lease, restarted node, deleted tenant */
	P4D_END_LOST,		/* the switch restarted */
};

struct p4d_batch {
	uint32_t number;
	enum p4d_batch_state state;
	uint64_t reservation;	/* number drawn at the request */
	uint32_t duration_us;
	uint32_t min_blocks;
	uint32_t want_blocks;
	uint32_t flows;		/* for each node */
	uint64_t ready_at;	/* when the blocks are needed, as was declared */
	struct p4d_curve curve;	/* what its blocks are worth; not in the store */
	uint16_t hist[P4W_MAX_BLOCKS];	/* as it was declared; not in the store */
	uint16_t nr_hist;
	uint16_t together;
	uint64_t waiting_from;	/* when a node began to wait, 0: none has */
	uint32_t bypassed;
	uint64_t asked;		/* nodes that sent its REQUEST, by bit */
	uint64_t done;		/* nodes that said so, by bit */
	/* from GIVING on */
	uint64_t epoch;
	struct p4d_blocks blocks;
	struct p4d_range flow[P4W_NODES_MAX];
	uint64_t action;	/* the switch's answer that it waits for; 0: none */
	uint64_t granted_at;
	uint64_t sized_at;	/* since when it has these blocks, if that is later; else 0 */
	uint64_t lease_until;
	uint64_t absent;	/* nodes that had left before, by bit: no part in this batch */
	uint64_t answered;	/* nodes that were told of the grant */
	uint8_t phase;		/* barrier that all have passed */
	uint64_t count_at;	/* when its accesses are to be counted again, 0: not now */
	bool counting;		/* what was counted up to now is known, see measure.h */
	/* TAKING */
	enum p4d_end end;
	bool keep;		/* cells go to escrow */
};

struct p4d_escrow {		/* the cells of one batch, as they were at the fence */
	struct p4d_escrow *next;
	uint32_t batch;
	uint64_t epoch;
	uint16_t nodes;
	uint64_t shown;		/* nodes that were sent the last entry */
	uint64_t acked;		/* nodes that have stored them all */
	uint32_t registers;
	uint32_t slots;		/* virtual slots: 64 a block */
	bool saved;		/* the store has it, with acked == saved_acked */
	uint64_t saved_acked;
	uint32_t missing;	/* cells that the store has not shown yet, at the start */
	uint32_t cells[];	/* slot by slot, in each the registers */
};

struct p4d_resize {		/* resize.c: of the current batch; not in the store */
	uint64_t epoch;		/* of that batch */
	uint16_t number;	/* of the last one begun */
	uint16_t target;
	bool active;
	bool prepared;		/* all have asked, and blocks were looked for */
	uint64_t asked, ready;	/* nodes that have said so, by bit */
	struct p4d_blocks extra;	/* in the switch, or on their way there, and not filled yet */
	uint64_t action;	/* the switch's answer that it waits for; 0: none */
};

struct p4d_locks {		/* lockinfo.c: lock bits of one batch */
	uint64_t reservation;	/* the batch's; 0: nobody's */
	uint32_t batch;
	uint64_t given;		/* nodes whose lists are in, by bit */
	struct p4d_keys keys;	/* of them, until dealt */
	bool dealt;
	bool saved;		/* the store has them */
	uint16_t n;
	struct p4w_lock_bit *bit;	/* dealt; as they are sent */
};

#define P4D_COUNTERS(X)								\
	X(requests,	  "messages from this tenant")				\
	X(batches,	  "batches that ended")					\
	X(grants,	  "grants")						\
	X(handovers,	  "grants with a block that another tenant held before") \
	X(fences,	  "grants taken away")					\
	X(escrowed_cells, "cells drained into the store")			\
	X(expired,	  "batches that ended in EXPIRED")			\
	X(lost,		  "batches lost with the switch")			\
	X(block_us,	  "blocks times microseconds held")

#define X(name, help) P4D_C_##name,
enum p4d_counter { P4D_COUNTERS(X) P4D_NR_COUNTERS };
#undef X

struct p4d_tenant {
	struct p4d_tenant *link;	/* ascending ids */
	uint32_t id;
	bool known;		/* to netlink */
	bool seen;		/* in the netlink dump that is under way */
	bool dirty;		/* differs from the store */
	struct p4d_tenant_conf conf;
	uint16_t nodes;		/* 0: none has spoken */
	uint64_t left;		/* nodes that have left, by bit */
	struct p4d_batch *cur;
	struct p4d_batch *next;
	struct p4d_resize resize;
	uint32_t last;		/* batch that ended last, 0: none */
	enum p4d_end last_end;
	uint64_t last_done;	/* nodes that were DONE with it, or took no part */
	struct p4d_escrow *escrow;	/* ascending batches */
	struct p4d_escrow *fetched;	/* over, but the store has not been told */
	struct p4d_locks locks[2];	/* of the current and the next batch */
	struct p4d_named *named;	/* locking.c; NULL: it has never asked for one */
	struct p4d_lockcells *cells;	/* lockcell.c; NULL: it has never used any */
	struct p4d_node node[P4W_NODES_MAX];
	uint64_t holding[P4D_HOLDS];	/* nodes whose held[] is used, by bit */
	uint64_t counter[P4D_NR_COUNTERS];
	uint64_t refused[P4D_REFUSALS];
	struct p4d_account account;
	struct p4d_check check;	/* of what it declares */
	uint64_t saved_check;	/* check.batches that the store has */
	uint32_t target;	/* blocks that it should have, see target.h */
	uint32_t hot;		/* part of the time that it holds blocks if nobody waits, in 1/256 */
	uint64_t cold_us;	/* before the current batch */
	uint64_t freed_at;
	uint32_t overrun;	/* held against declared times of its batches, mean, in 1/256 */
	uint64_t barred_until;	/* a habitual overrunner was fenced: twice as long as it held */
	uint64_t nr_waits;
	uint64_t waited_us;	/* in all of them */
	uint32_t wait_us[P4D_WAITS];
};

struct p4d_place {		/* so that a search touches no tenant but the one it finds */
	uint32_t id;
	struct p4d_tenant *tenant;
};

enum p4d_switch_state { P4D_SWITCH_DOWN, P4D_SWITCH_UP, P4D_SWITCH_MISMATCH };

struct p4d_engine {
	uint64_t now;
	uint64_t start;			/* time of creation */
	struct p4d_tenant *tenants;
	struct p4d_place *place;	/* of each tenant, ascending ids */
	size_t nr_tenants, room;
	struct p4d_policy policy;
	struct p4d_geometry geo;	/* the switch's */
	struct p4d_geometry wanted;	/* netlink's; blocks 0: not set */
	enum p4d_switch_state sw;
	char sw_why[256];
	uint64_t sw_down_at;		/* 0: up, never seen, or away for too long */
	bool bound;			/* a switch was seen: geo and boot are of it */
	uint64_t boot;			/* of the switch that the grants are in */
	uint64_t epoch_next;
	uint64_t epoch_first;		/* grants below are of another life of the allocator */
	uint64_t epoch_limit;		/* epochs below are reserved in the store */
	uint64_t reservation_next;
	uint64_t token_next;		/* of the lock service */
	uint64_t token_first;		/* tokens below are of another life of the allocator */
	uint64_t token_limit;		/* tokens below are reserved in the store */
	uint64_t lock_grace;		/* until then locks may be held that it does not know of;
					 * UINT64_MAX: no end is in sight, see locking.h */
	uint64_t lock_seed;		/* random */
	uint32_t lock_lease_us;		/* longest lease ever given */
	uint32_t cell_blocks;		/* that have cells of locks, are being given or taken for them */
	bool cells_out;			/* the switch may have such blocks, of another life, too */
	uint64_t cells_barred_until;	/* others have needed such a block */
	uint64_t action_next;
	bool meta_dirty;		/* bound, geo, boot, reservation_next, lock_lease_us, cells_out or a
					 * limit */
	bool must_schedule;
	uint64_t batches_due;		/* the next batch's business that was announced as a deadline */
	uint64_t overdue_from;		/* no lease ends before */
	struct p4d_blocks stray;	/* owned in the switch by no grant: being taken */
	uint64_t stray_action;
	uint32_t owner[P4W_MAX_BLOCKS];	/* tenant that holds the block, 0: free */
	uint32_t before[P4W_MAX_BLOCKS];	/* tenant whose values may be in its cells, 0: they
						 * are clear, P4D_ANYBODY: not known */
	struct p4d_flows flows;
	struct p4d_ledger ledger;
	struct p4d_divider *divider;
	struct p4d_worth worth;		/* of the targets */
	struct p4d_history *history;
	struct p4d_history *waiting;	/* of the next number: one column, 0 */
	uint32_t nr_waiting;		/* tenants that wait for blocks */
	uint64_t refused[P4D_REFUSALS];	/* of senders that are no tenant */
	struct p4d_out *bundle;		/* answers to bundle_who are collected there; NULL: none are */
	const struct p4d_who *bundle_who;
	struct p4d_out *out_first;
	struct p4d_out **out_last;
};

static inline uint64_t p4d_bit(unsigned int node)
{
	return 1ull << node;
}

static inline uint64_t p4d_all_nodes(const struct p4d_tenant *t)
{
	return t->nodes >= 64 ? ~0ull : p4d_bit(t->nodes) - 1;
}

static inline uint64_t p4d_owner_word(uint32_t tenant, uint64_t epoch)
{
	return (uint64_t)tenant << P4W_EPOCH_BITS | epoch;
}

#endif /* P4D_STATE_H */
