/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io.h - the few verbs through which a context reaches the world. uring.c is the real back end;
 * tests put an allocator and a switch in memory behind the same verbs.
 *
 * Sends are asynchronous: each ends in exactly one event with its cookie (not 0), in any order.
 */
#ifndef P4A_IO_H
#define P4A_IO_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/homa.h>

#include "msg.h"

struct p4a_io;

struct p4a_io_event {
	uint64_t cookie;
	int err;			/* 0, or -errno: no answer will come */
	bool unsent;			/* err came from sending: nothing has left this host */
	uint32_t len;
	const void *data;		/* the answer; valid until the next reap or watch */
};

struct p4a_io_ops {
	/* A message to the allocator; it is copied. 0, -EAGAIN too many are being sent, or -errno. */
	int (*send_msg)(struct p4a_io *io, uint64_t cookie, const void *msg, uint32_t len);
	/* Likewise a transaction to the switch. */
	int (*send_txn)(struct p4a_io *io, uint64_t cookie, const struct homa_txn *txn);
	/* Takes up to max events, waits for the first (< 0: for ever); how many, or -errno: broken. */
	int (*reap)(struct p4a_io *io, struct p4a_io_event *ev, unsigned int max, int64_t timeout_us);
	/* The caller may wait for fd() now: what is to be sent goes, and what comes is seen there.
	 * NULL: both are so anyway.
	 */
	void (*watch)(struct p4a_io *io);
	/* Tells the kernel what this node holds from now on; NULL: nothing. */
	int (*hold)(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err);
	/* Likewise the block with cells of locks. NULL: this back end knows no such thing. */
	int (*hold_cells)(struct p4a_io *io, const struct p4a_grant *grant, struct p4a_error *err);
	/* Writes what was given to a file to its disk, begins at once. 0, -EAGAIN, or -errno. */
	int (*sync)(struct p4a_io *io, uint64_t cookie, int fd);
	uint64_t (*now_us)(struct p4a_io *io);		/* monotonic */
	int (*fd)(struct p4a_io *io);
	void (*close)(struct p4a_io *io);
};

struct p4a_io {
	const struct p4a_io_ops *ops;
	bool inside;			/* the caller stays in the library: nobody looks at fd() */
};

#endif
