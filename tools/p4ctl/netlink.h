/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.h - the conversation with the kernel's family "p4alloc" in this network namespace.
 *
 * Errors come with the kernel's own explanation; a missing module is told apart from all others.
 */
#ifndef P4CTL_NETLINK_H
#define P4CTL_NETLINK_H

#include <errno.h>

#include "msg.h"

struct nlink;

struct nlink *nlink_open(struct diag *d);
void nlink_close(struct nlink *nl);

/* Sends a request made of `rec` (may be NULL) and flags (0: none); waits for the ack. */
int nlink_set(struct nlink *nl, enum p4a_cmd cmd, const struct field *fields, const void *rec,
	      uint32_t flags, struct diag *d);

/* The same; the answer is decoded into `answer`. */
int nlink_get(struct nlink *nl, enum p4a_cmd cmd, const struct field *fields, const void *rec,
	      void *answer, size_t size, struct diag *d);

/* Calls `each` with every entry. A dump during which the state changed is repeated, so entries are
 * collected first. each returns -1 to stop, with d filled. */
int nlink_dump(struct nlink *nl, enum p4a_cmd cmd, const struct field *fields, size_t size,
	       int (*each)(void *entry, void *arg), void *arg, struct diag *d);

/* errno of the last refusal by the kernel; 0 if the last failure was none */
int nlink_errno(const struct nlink *nl);

/* Follows the events: `each` gets every message, and NULL if some were lost. Its 1 ends it. */
int nlink_follow(struct nlink *nl, int (*each)(struct nlmsghdr *nlh, void *arg), void *arg,
		 struct diag *d);

#endif /* P4CTL_NETLINK_H */
