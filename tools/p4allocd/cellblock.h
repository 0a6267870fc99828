/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cellblock.h - the block of the switch in which a tenant's cells are, and the flows of its hosts. What
 * lockcell.c is made of; nobody else includes it.
 */
#ifndef P4D_CELLBLOCK_H
#define P4D_CELLBLOCK_H

#include "engine.h"
#include "named.h"

#define P4D_LOCK_USES 64		/* the highest six bits of a hash */

enum p4d_cell_state {
	P4D_LOCKCELL_NONE,
	P4D_LOCKCELL_OPENING,
	P4D_LOCKCELL_OPEN,
	P4D_LOCKCELL_CLOSING,
};

struct p4d_parked {
	struct p4d_parked *link;
	struct p4d_who who;
	struct p4d_request req;
	uint64_t from;		/* when it came */
};

struct p4d_lockcell {
	struct p4d_name name;
	enum p4d_cell_state state;
	uint32_t id;
	uint64_t base;
	uint64_t action;
	struct p4d_parked *first, *last;
	uint32_t nr_parked;	/* up to P4D_QUEUE_MAX */
};

struct p4d_cell_host {
	in_addr_t addr;
	struct p4d_range flow;
	uint64_t action;	/* that the switch is told of it by; 0: it knows */
};

struct p4d_cell_lost {			/* a name whose cell the switch has forgotten */
	struct p4d_name name;
	uint64_t base;
	uint64_t until;
};

struct p4d_lock_use {
	struct p4d_name name;
	uint32_t times, often;
	bool had_cell;
};

enum p4d_cellblock_state {
	P4D_BLOCK_NONE,
	P4D_BLOCK_GIVING,
	P4D_BLOCK_READY,
	P4D_BLOCK_TAKING,
};

struct p4d_lockcells {
	enum p4d_cellblock_state state;
	bool unwanted;		/* to be taken as soon as it is given */
	unsigned int block;
	uint64_t epoch;
	uint64_t action;
	unsigned int nr_hosts, victim, next_lost;
	struct p4d_cell_host host[P4W_NODES_MAX];
	struct p4d_lockcell cell[P4W_BLOCK_SLOTS];
	struct p4d_cell_lost lost[P4W_BLOCK_SLOTS];
	struct p4d_lock_use use[P4D_LOCK_USES];
};

/* Chooses one that nobody needs, for cells of this host among others; false: there is none. */
bool p4d_cellblock_begin(struct p4d_engine *e, struct p4d_tenant *t, in_addr_t addr);
void p4d_cellblock_end(struct p4d_engine *e, struct p4d_tenant *t);

/* Flows for one more host, or NULL; the switch must be told of them. */
struct p4d_cell_host *p4d_cellblock_add_host(struct p4d_engine *e, struct p4d_tenant *t,
					     in_addr_t addr);

/* Orders to the switch, also to repeat what it has not acknowledged. */
void p4d_cellblock_give(struct p4d_engine *e, struct p4d_tenant *t);
void p4d_cellblock_take(struct p4d_engine *e, struct p4d_lockcells *l);
void p4d_cellblock_tell_flows(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_cell_host *h);

#endif /* P4D_CELLBLOCK_H */
