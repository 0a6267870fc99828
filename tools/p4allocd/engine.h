/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - the allocator as a state machine: events and the time in, things to do out.
 *
 * No I/O, no clock, no threads. Times are microseconds of any monotonic clock, never 0. The caller
 * (service.c) passes each event in, then saves what is dirty, and only when that is in the store
 * carries out what p4d_engine_pop() returns, in order. So nobody is ever told what a kill could
 * undo.
 */
#ifndef P4D_ENGINE_H
#define P4D_ENGINE_H

#include "state.h"

enum p4d_out_kind {
	P4D_OUT_REPLY,		/* send bytes to who */
	P4D_OUT_GIVE,		/* tell the switch; then p4d_engine_given() */
	P4D_OUT_TAKE,		/* fence and drain; then p4d_engine_taken() */
	P4D_OUT_COUNT,		/* read and clear; then p4d_engine_counted(), or not at all */
	P4D_OUT_CELL,		/* of a lock, see below; then p4d_engine_celled() */
};

struct p4d_give {		/* all or nothing, may be repeated */
	uint64_t action;
	uint32_t tenant;
	uint64_t epoch;
	struct p4d_blocks blocks;	/* home is the first of them */
	struct p4d_blocks clear;	/* those that hold somebody else's values */
	bool more;			/* for a grant that stands: nothing but owner words */
	uint32_t nr_flows;
	struct p4d_range flow[P4W_NODES_MAX];
};

struct p4d_take {		/* may be repeated */
	uint64_t action;
	struct p4d_blocks blocks;
	bool read;		/* all cells are wanted */
};

struct p4d_count {		/* counters of accesses to a grant's blocks */
	uint32_t tenant;
	uint64_t epoch;
	struct p4d_blocks blocks;
};

/* One cell of the lock service, or flows for them. Each is atomic and may be repeated. */
enum p4d_cell_verb {
	P4D_CELL_OPEN,		/* free, with `id` */
	P4D_CELL_CLOSE,		/* read all registers, and write P4W_CELL_FREE */
	P4D_CELL_FLOWS,		/* entries of `flow` begin anew, as the tenant's */
};

struct p4d_cell_order {
	uint64_t action;
	enum p4d_cell_verb verb;
	uint32_t tenant;
	uint32_t slot;		/* physical */
	uint32_t id;
	struct p4d_range flow;	/* FLOWS, with the epoch of the block that they are for */
	uint64_t epoch;
};

struct p4d_out {
	struct p4d_out *link;
	enum p4d_out_kind kind;
	union {
		struct p4d_give give;
		struct p4d_take take;
		struct p4d_count count;
		struct p4d_cell_order cell;
		struct p4d_who who;
	};
	size_t len;		/* REPLY */
	uint8_t bytes[];
};

/* boot: of the switch; owner, serial: its arrays, one word a block. */
struct p4d_switch_info {
	struct p4d_geometry geo;
	uint64_t boot;
	const uint64_t *owner;
	const uint64_t *serial;
};

struct p4d_engine *p4d_engine_create(uint64_t now);	/* NULL: no memory */
void p4d_engine_destroy(struct p4d_engine *e);

/* A message of any bytes, from a node of `tenant` as its kernel says (0: none). */
void p4d_engine_message(struct p4d_engine *e, uint64_t now, uint32_t tenant,
			const struct p4d_who *who, const void *bytes, size_t len);

/* Time has come; to be called at or after p4d_engine_deadline() (UINT64_MAX: never). */
void p4d_engine_tick(struct p4d_engine *e, uint64_t now);
uint64_t p4d_engine_deadline(struct p4d_engine *e);

/* The switch. Actions that were under way when it went down are issued again when it is up. */
void p4d_engine_switch_up(struct p4d_engine *e, uint64_t now, const struct p4d_switch_info *info);
void p4d_engine_switch_down(struct p4d_engine *e, uint64_t now, const char *why);
/* The next commit serial of blocks that have just been fenced; before p4d_engine_taken(). */
void p4d_engine_serial(struct p4d_engine *e, uint64_t next);
void p4d_engine_given(struct p4d_engine *e, uint64_t now, uint64_t action);
/* cells: if they were wanted; block by block in order of p4d_take.blocks, slots, registers. */
void p4d_engine_taken(struct p4d_engine *e, uint64_t now, uint64_t action, const uint32_t *cells);

/* seen: accesses to each of count.blocks, in order, since the last time or the give. */
void p4d_engine_counted(struct p4d_engine *e, uint64_t now, const struct p4d_count *count,
			const uint64_t *seen);

/*
 * The lock word of the grant has bits that no packet will give back: one was lost between its passes,
 * and half of a transaction is in the cells.
 */
void p4d_engine_stuck(struct p4d_engine *e, uint64_t now, const struct p4d_count *count);

/* value: of a CLOSE, the cell's registers as they were before. */
void p4d_engine_celled(struct p4d_engine *e, uint64_t now, uint64_t action,
		       const uint32_t value[P4W_CELL_REGISTERS]);

/* Configuration. A full reading stands between begin and end: tenants not named in it are gone. */
void p4d_engine_policy(struct p4d_engine *e, uint64_t now, const struct p4d_policy *policy);
void p4d_engine_geometry(struct p4d_engine *e, uint64_t now, const struct p4d_geometry *geo);
void p4d_engine_tenant(struct p4d_engine *e, uint64_t now, const struct p4d_tenant_conf *conf);
void p4d_engine_tenant_gone(struct p4d_engine *e, uint64_t now, uint32_t id);
void p4d_engine_tenants_begin(struct p4d_engine *e);
void p4d_engine_tenants_end(struct p4d_engine *e, uint64_t now);

/* The next thing to do, or NULL; the caller frees it. */
struct p4d_out *p4d_engine_pop(struct p4d_engine *e);

/* For the store, at start: the record of a tenant, made if there is none; NULL: no memory. */
struct p4d_tenant *p4d_engine_tenant_record(struct p4d_engine *e, uint32_t id);
/*
 * After the records are filled in: takes back blocks and flows of the grants. -EINVAL:
 * contradiction
 */
int p4d_engine_restored(struct p4d_engine *e);

#endif /* P4D_ENGINE_H */
