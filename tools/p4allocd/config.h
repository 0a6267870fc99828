/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - tenants that several allocators share: weights, guarantees and limits, in etcd.
 *
 * Each tenant is a key under PREFIX/config/. What netlink says when an allocator starts is only
 * added to that; what it says later is a change that an administrator makes, and everybody's. A tenant
 * that was deleted keeps its key, so that an allocator that was away does not bring it back.
 */
#ifndef P4D_CONFIG_H
#define P4D_CONFIG_H

#include "state.h"

struct p4d_config;
struct p4d_etcd;
struct p4d_loop;

struct p4d_config_events {	/* as those of netlink.h */
	void *arg;
	void (*tenant)(void *arg, const struct p4d_tenant_conf *conf);
	void (*tenant_gone)(void *arg, uint32_t id);
};

/* Calls tenant() for each that is known before it returns. 0, or -errno and err. */
int p4d_config_open(struct p4d_config **out, struct p4d_loop *loop, struct p4d_etcd *etcd,
		    const char *prefix, const struct p4d_config_events *events, char *err,
		    size_t size);
void p4d_config_close(struct p4d_config *c);

/* Netlink's word. In a reading of all (begin .. end) a tenant that etcd has stays as it is. */
void p4d_config_begin(struct p4d_config *c);
void p4d_config_tenant(struct p4d_config *c, const struct p4d_tenant_conf *conf);
void p4d_config_tenant_gone(struct p4d_config *c, uint32_t id);
void p4d_config_end(struct p4d_config *c);	/* and tenant() for each that only etcd has */

#endif /* P4D_CONFIG_H */
