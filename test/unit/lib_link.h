/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib_link.h - verbs of io.h that join a context of the library to the engine of a world: what the
 * library says is there at once, and time passes while it waits. A test adds the other verbs to its own
 * table: transactions and what the kernel holds.
 */
#ifndef LIB_LINK_H
#define LIB_LINK_H

#include "allocd_world.h"
#include "ctx.h"

#define LINK_EVENTS 16
#define LINK_STEP 500		/* of time, when nothing happens */

struct link {
	struct p4a_io io;
	struct p4a_ctx *ctx;
	unsigned int node;
	struct { uint64_t cookie; int err; uint32_t len; uint8_t *bytes; } event[LINK_EVENTS];
	unsigned int events;
	uint8_t *lent[LINK_EVENTS];
	unsigned int nr_lent;
};

/* All links from now on are to this world. */
void links_begin(struct world *w);
/* No RPC under way is answered any more: all fail. */
void links_break(void);

/* A node of tenant 1 with depth 8 and a time-out of one second. `ops` stays. */
struct link *link_open(const struct p4a_io_ops *ops, unsigned int node, unsigned int nodes,
		       const struct p4a_geometry *geo);

struct link *link_of(struct p4a_io *io);
/* The next reap returns it. */
void link_put(struct link *l, uint64_t cookie, int err, const void *bytes, size_t len);

int link_send_msg(struct p4a_io *io, uint64_t cookie, const void *msg, uint32_t len);
int link_reap(struct p4a_io *io, struct p4a_io_event *ev, unsigned int max, int64_t timeout_us);
uint64_t link_now_us(struct p4a_io *io);
int link_fd(struct p4a_io *io);
void link_close(struct p4a_io *io);

#endif /* LIB_LINK_H */
