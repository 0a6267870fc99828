/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.h - the Homa socket: requests in, each answered once, at once or much later, by its RPC
 * id.
 */
#ifndef P4D_SERVER_H
#define P4D_SERVER_H

#include "state.h"

struct p4d_loop;
struct p4d_server;

/* bytes: valid during the call only. tenant: stamped by the sender's kernel. */
typedef void (*p4d_server_message)(void *arg, uint32_t tenant, const struct p4d_who *who,
				   const void *bytes, size_t len);

/* 0, or -errno and err says what to do. */
int p4d_server_open(struct p4d_server **out, struct p4d_loop *loop, uint16_t port,
		    p4d_server_message message, void *arg, char *err, size_t size);
void p4d_server_close(struct p4d_server *s);	/* the loop must not run any more */

/* Now, or as soon as the kernel has room. If too many wait for that, all clients have to ask again. */
void p4d_server_reply(struct p4d_server *s, const struct p4d_who *who, const void *bytes,
		      size_t len);

struct p4d_server_stats {
	uint64_t waiting;	/* replies that the kernel has no room for, now */
	uint64_t kept;		/* that ever had to wait */
	uint64_t dropped;
};
struct p4d_server_stats p4d_server_stats(const struct p4d_server *s);

#endif /* P4D_SERVER_H */
