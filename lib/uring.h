/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uring.h - the back end of real contexts: a Homa socket behind an io_uring, and netlink. */
#ifndef P4A_URING_H
#define P4A_URING_H

#include <netinet/in.h>

#include "io.h"
#include "netlink.h"

/*
 * Takes over the netlink socket and the Homa socket, also on failure. -ENOSYS: no io_uring.
 * depth: transactions that may be in flight.
 */
int p4a_uring_new(struct p4a_io **out, struct p4a_netlink *nl, int sock,
		  const struct sockaddr_in *allocator, uint32_t tenant, uint32_t depth,
		  struct p4a_error *err);

#endif
