/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.h - tenants, geometry and policy of this network namespace, and their changes.
 *
 * Reads all of it at the start and again whenever events were missed; each event is one change.
 */
#ifndef P4D_NETLINK_H
#define P4D_NETLINK_H

#include "state.h"

struct p4d_loop;
struct p4d_netlink;

struct p4d_netlink_events {
	void *arg;
	void (*policy)(void *arg, const struct p4d_policy *policy, uint16_t port);
	void (*geometry)(void *arg, const struct p4d_geometry *geo);
	void (*tenant)(void *arg, const struct p4d_tenant_conf *conf);
	void (*tenant_gone)(void *arg, uint32_t id);
	void (*tenants_begin)(void *arg);	/* of a full reading: tenants not named are gone */
	void (*tenants_end)(void *arg);
};

/* Calls the events for the present state before it returns. 0, or -errno and err. */
int p4d_netlink_open(struct p4d_netlink **out, struct p4d_loop *loop,
		     const struct p4d_netlink_events *events, char *err, size_t size);
void p4d_netlink_close(struct p4d_netlink *nl);

#endif /* P4D_NETLINK_H */
