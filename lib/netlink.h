/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* netlink.h - what the library asks and tells the kernel over generic netlink. Blocking, but the
 * kernel answers at once. One thread at a time. */
#ifndef P4A_NETLINK_H
#define P4A_NETLINK_H

#include "msg.h"

struct p4a_netlink;

/* -ENOENT: no such family, i.e. no module. */
int p4a_netlink_open(struct p4a_netlink **out, struct p4a_error *err);
void p4a_netlink_close(struct p4a_netlink *nl);

/* Address in network order (0: none set), port in host order. */
int p4a_netlink_policy(struct p4a_netlink *nl, uint32_t *addr, uint16_t *port,
		       struct p4a_error *err);
/* -ENODATA: never set. */
int p4a_netlink_geometry(struct p4a_netlink *nl, struct p4a_geometry *geo, struct p4a_error *err);
/* What this node holds of the tenant in that space (enum homa_txn_space); NULL: nothing. */
int p4a_netlink_hold(struct p4a_netlink *nl, uint32_t tenant, uint32_t space,
		     const struct p4a_grant *grant, struct p4a_error *err);

#endif
