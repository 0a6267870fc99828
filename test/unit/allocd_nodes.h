/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allocd_nodes.h - three tenants' nodes and a switch that outlive the allocator they work with.
 *
 * All of it is in memory that processes share. A child is the allocator, with its real service,
 * store, loop and socket to the switch; what its nodes are told and have to do next is noted at the
 * moment of the answer, so a child that is killed anywhere can be followed by another one. Each
 * answer is compared with all that was said before. The switch is the control socket of p4switch
 * over arrays, in a process of its own: with a thread in the parent, a child could be forked while
 * that holds a lock.
 */
#ifndef ALLOCD_NODES_H
#define ALLOCD_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "../../tools/p4allocd/service.h"

#define NODES 3			/* each is a whole tenant: 1 .. NODES */
#define SLEEPER NODES		/* this one lets its lease end, so its cells go to escrow */

enum nodes_state {
	N_HELLO, N_FETCH, N_ACK, N_ASK, N_WAIT, N_LIST, N_FILL, N_LOCK, N_UNLOCK, N_RUN, N_DONE
};

struct nodes_node {
	enum nodes_state state;
	uint64_t rpc;			/* that it waits for, 0: none */
	uint32_t batch;
	uint32_t batches;		/* that ended for it */
	uint64_t epoch;			/* of the grant it works with, 0: none */
	struct p4d_blocks blocks;
	uint32_t flow_first, flow_count;
	uint64_t bits;			/* a sum over the lock bits that it was told, 0: not told */
	uint32_t fetched;		/* entries of escrow that it was shown */
	uint32_t written;		/* what stands in its first cell, 0: nothing that counts */
	uint32_t others;		/* batches of the others when it fell asleep */
	uint64_t token;
};

struct nodes_shared {
	struct nodes_node node[NODES + 1];
	uint64_t epoch_max, token_max;
	uint32_t answers, grants, expired, fetched;
	uint32_t generation;		/* of the child that may speak */
	uint32_t late;			/* answers of a child that may not */
	char wrong[256];		/* the first thing that may not be */
};

extern struct nodes_shared *nodes;

/* Once: the memory and the switch. Then at the start of each run. */
void nodes_create(void);
void nodes_begin(void);
void nodes_end(void);		/* stops the switch */

/*
 * In a child: works with this store until each node has finished so many batches. conf says which
 * store; the rest of it is filled in here.
 */
void nodes_work(struct p4d_loop *loop, struct p4d_service_conf *conf, uint32_t batches);

#endif /* ALLOCD_NODES_H */
