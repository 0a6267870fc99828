/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - Homa RPCs between the nodes of one tenant: short messages, one socket, one thread.
 *
 * A link belongs to a tenant; the kernel stamps what it sends, and link_recv() tells which tenant
 * the other side's kernel has stamped.
 */
#ifndef LINK_H
#define LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_MSG_MAX 4096		/* bytes in one message */

struct link;

struct link_msg {
	bool is_request;
	int err;			/* response: 0, or errno: the RPC failed and there is no data */
	uint64_t id;			/* request: for link_reply() */
	uint64_t cookie;		/* response: of link_request() */
	struct sockaddr_in from;
	uint32_t tenant;		/* stamped by the sender's kernel */
	size_t len;
	uint8_t data[LINK_MSG_MAX];
};

/* port 0: requests only. 0, or -errno and *step says what failed. */
int link_open(struct link **out, uint32_t tenant, uint16_t port, const char **step);
void link_close(struct link *l);

int link_request(struct link *l, const struct sockaddr_in *to, const void *data, size_t len,
		 uint64_t cookie);
int link_reply(struct link *l, const struct link_msg *request, const void *data, size_t len);

/* 1: *m is a message; 0: none within timeout_ms; -errno: the socket is of no use any more. */
int link_recv(struct link *l, struct link_msg *m, int timeout_ms);

#endif /* LINK_H */
