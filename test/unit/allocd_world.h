/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allocd_world.h - an engine in a small world: a switch made of arrays, and a record of every
 * answer.
 *
 * The switch checks each order it is given: no block and no flow twice, each epoch once and
 * ascending for a tenant. Orders wait until world_switch_step() carries one out, so a test decides
 * what happens meanwhile.
 */
#ifndef ALLOCD_WORLD_H
#define ALLOCD_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/p4allocd/engine.h"

#define WORLD_ANSWERS 1024	/* answers that are remembered, by RPC */
#define WORLD_FLOWS 4096
#define WORLD_TENANTS 16
#define WORLD_EPOCHS 65536

struct world_grant {		/* what the switch was told and not yet told to forget */
	uint32_t tenant;	/* 0: no entry */
	uint64_t epoch;
	struct p4d_blocks blocks;
	uint32_t nr_flows;
	struct p4d_range flow[P4W_NODES_MAX];
};

struct world {
	struct p4d_engine *e;
	uint64_t now;
	uint64_t rpc;			/* last one used */
	uint32_t peer;			/* address from which the next message comes */
	struct p4d_geometry geo;
	uint64_t boot;
	bool connected;
	uint64_t owner[P4W_MAX_BLOCKS], serial[P4W_MAX_BLOCKS], access[P4W_MAX_BLOCKS];
	bool stuck;			/* the next count finds lock bits that no packet holds */
	uint32_t *cells;		/* [64 * block + slot][register] */
	uint64_t flow_state[WORLD_FLOWS];
	struct world_grant grant[P4W_MAX_BLOCKS];	/* by home block */
	uint64_t epoch_max[WORLD_TENANTS];	/* of the grants it was told of, by tenant */
	uint8_t epoch_used[WORLD_EPOCHS];	/* by how many grants */
	struct p4d_out *orders, **orders_last;
	unsigned int gives, takes, reads, counts;
	struct { uint64_t rpc; size_t len; uint8_t bytes[P4D_REPLY_MAX]; } answer[WORLD_ANSWERS];
	uint64_t answers;		/* ever */
	void (*on_answer)(struct world *w, uint64_t rpc, const void *bytes, size_t len);
};

/* A switch of this shape is connected; tenants 1 .. n are known. */
struct world *world_create(uint32_t registers, uint32_t blocks, uint32_t flows, uint32_t tenants);
void world_destroy(struct world *w);

/* A new engine in the same world, e.g. one that was just filled from a store. */
void world_replace_engine(struct world *w, struct p4d_engine *e);
void world_know_tenants(struct world *w, uint32_t tenants);

/* Takes what the engine wants done: answers are recorded, orders queued. After every event. */
void world_collect(struct world *w);

/* Carries out one order; false: there was none. */
bool world_switch_step(struct world *w);
void world_switch_down(struct world *w);	/* orders under way are lost */
void world_switch_up(struct world *w);
void world_switch_restart(struct world *w);	/* registers empty; still down */

/* Everything at once until nothing is left to do, time standing still. */
void world_settle(struct world *w);
/* Time passes; the engine's deadlines are met on the way; settles. */
void world_sleep(struct world *w, uint64_t us);

/* Each returns the RPC's number. world_send_request uses all fields of *r and sets type. */
uint64_t world_send(struct world *w, uint32_t tenant, uint16_t node, uint16_t nodes, uint8_t type,
		    uint32_t batch, uint32_t code);
uint64_t world_send_request(struct world *w, uint32_t tenant, const struct p4d_request *r);
/* entry: as in the message. */
uint64_t world_send_lock_info(struct world *w, uint32_t tenant, uint16_t node, uint16_t nodes,
			      uint32_t batch, const struct p4w_lock_key *entry, size_t n);
uint64_t world_send_bytes(struct world *w, uint32_t tenant, const void *bytes, size_t len);

/* Type of the answer, 0: none yet. */
uint8_t world_type(struct world *w, uint64_t rpc);
const void *world_answer(struct world *w, uint64_t rpc);
/* Refusal code, 0: the answer is none. */
uint32_t world_refusal(struct world *w, uint64_t rpc);

#endif /* ALLOCD_WORLD_H */
