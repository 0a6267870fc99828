// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netlink-state.c - what the family p4alloc tells: long dumps, defaults, and one event a change, in
 * order, in the network namespace where it happened and in no other.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <netlink/attr.h>

#include "t_homa.h"
#include "t_netlink.h"

#define FIRST		5000
#define TENANTS		500	/* more than one message of a dump holds */

static int failures;

static void expect(const char *what, bool ok)
{
	if (ok)
		return;
	failures++;
	fprintf(stderr, "netlink-state: %s\n", what);
}

static int set_tenant(struct t_netlink *nl, uint32_t id, uint32_t weight)
{
	struct t_attr attrs[] = { T_U32(TENANT_ID, id), T_U32(TENANT_WEIGHT, weight), T_END };

	return t_netlink_do(nl, P4A_CMD_TENANT_SET, attrs);
}

static int delete_tenant(struct t_netlink *nl, uint32_t id)
{
	struct t_attr attrs[] = { T_U32(TENANT_ID, id), T_END };

	return t_netlink_do(nl, P4A_CMD_TENANT_DEL, attrs);
}

struct walk {
	uint32_t last;
	int ours;
	bool in_order;
	bool complete;
};

static void see_tenant(int cmd, struct nlattr **attrs, void *arg)
{
	struct walk *w = arg;
	uint32_t id = attrs[P4A_A_TENANT_ID] ? nla_get_u32(attrs[P4A_A_TENANT_ID]) : 0;
	char name[32];

	w->in_order &= id > w->last;
	w->last = id;
	if (id < FIRST || id >= FIRST + TENANTS)
		return;
	w->ours++;
	snprintf(name, sizeof(name), "tenant%u", id);
	w->complete &= attrs[P4A_A_TENANT_NAME] && attrs[P4A_A_TENANT_WEIGHT] &&
		       attrs[P4A_A_TENANT_MIN_BLOCKS] && attrs[P4A_A_TENANT_MAX_BLOCKS] &&
		       attrs[P4A_A_TENANT_MAX_RPCS] && attrs[P4A_A_TENANT_SOCKETS] &&
		       !attrs[P4A_A_TENANT_UID] && !attrs[P4A_A_TENANT_GID] &&
		       !strcmp(nla_get_string(attrs[P4A_A_TENANT_NAME]), name) &&
		       nla_get_u32(attrs[P4A_A_TENANT_WEIGHT]) == 1 + id % 1000 &&
		       nla_get_u32(attrs[P4A_A_TENANT_MAX_BLOCKS]) == 256;
}

static void check_dump(struct t_netlink *nl)
{
	struct walk w = { .in_order = true, .complete = true };
	uint32_t id;

	for (id = FIRST; id < FIRST + TENANTS; id++)
		expect("create", set_tenant(nl, id, 1 + id % 1000) == 0);
	expect("dump of tenants", t_netlink_dump(nl, P4A_CMD_TENANT_GET, see_tenant, &w) == 0);
	expect("the dump has all tenants", w.ours == TENANTS);
	expect("the dump is in order of id", w.in_order);
	expect("each tenant has all its attributes", w.complete);
	for (id = FIRST; id < FIRST + TENANTS; id++)
		expect("delete", delete_tenant(nl, id) == 0);
}

struct event {
	int cmd;
	uint32_t id;
	uint64_t epoch;
	uint32_t weight;
};

static void see_event(int cmd, struct nlattr **attrs, void *arg)
{
	struct event *e = arg;

	e->cmd = cmd;
	e->id = attrs[P4A_A_TENANT_ID] ? nla_get_u32(attrs[P4A_A_TENANT_ID]) : 0;
	e->epoch = attrs[P4A_A_ALLOC_EPOCH] ? nla_get_u64(attrs[P4A_A_ALLOC_EPOCH]) : 0;
	e->weight = attrs[P4A_A_TENANT_WEIGHT] ? nla_get_u32(attrs[P4A_A_TENANT_WEIGHT]) : 0;
}

static void expect_event(struct t_netlink *listener, const char *what, struct event want)
{
	struct event got = { 0 };

	t_netlink_event(listener, see_event, &got, 1000);
	if (got.cmd == want.cmd && got.id == want.id && got.epoch == want.epoch &&
	    got.weight == want.weight)
		return;
	failures++;
	fprintf(stderr, "netlink-state: %s: event %d, tenant %u, epoch %llu, weight %u\n", what,
		got.cmd, got.id, (unsigned long long)got.epoch, got.weight);
}

static void check_events(struct t_netlink *nl, struct t_netlink *listener)
{
	struct event none = { 0 };

	/* Makes the tenant, ends its allocation, sets geometry and policy, grants: five changes. */
	expect("set-up", t_netlink_allocate(nl, FIRST, 3, 0x0100000a, 1, 1) == 0);
	expect_event(listener, "created", (struct event){ P4A_CMD_TENANT_NTF, FIRST, 0, 100 });
	expect_event(listener, "holds nothing", (struct event){ P4A_CMD_ALLOC_NTF, FIRST, 0, 0 });
	expect_event(listener, "geometry", (struct event){ P4A_CMD_GEOMETRY_NTF, 0, 0, 0 });
	expect_event(listener, "policy", (struct event){ P4A_CMD_POLICY_NTF, 0, 0, 0 });
	expect_event(listener, "granted", (struct event){ P4A_CMD_ALLOC_NTF, FIRST, 3, 0 });
	expect("weight", set_tenant(nl, FIRST, 7) == 0);
	expect_event(listener, "changed", (struct event){ P4A_CMD_TENANT_NTF, FIRST, 0, 7 });
	expect("a refused change", set_tenant(nl, FIRST, 0) == -ERANGE);
	expect("delete", delete_tenant(nl, FIRST) == 0);
	expect_event(listener, "deleted", (struct event){ P4A_CMD_TENANT_DEL_NTF, FIRST, 0, 0 });
	expect_event(listener, "nothing more", none);
}

static void check_namespaces(struct t_netlink *nl, struct t_netlink *listener)
{
	struct t_attr attrs[] = { T_U32(TENANT_ID, FIRST), T_END };
	struct event none = { 0 };
	struct t_netlink *other;

	expect("a tenant here", set_tenant(nl, FIRST, 1) == 0);
	expect_event(listener, "here", (struct event){ P4A_CMD_TENANT_NTF, FIRST, 0, 1 });
	expect("another namespace", unshare(CLONE_NEWNET) == 0);
	other = t_netlink_open();
	expect("it has the family", other);
	if (!other)
		return;
	expect("the tenant is not there", t_netlink_do(other, P4A_CMD_TENANT_GET, attrs) == -ENOENT);
	expect("one there", set_tenant(other, FIRST, 2) == 0);
	expect_event(listener, "nothing is heard of it here", none);
	expect("the one here can go", delete_tenant(nl, FIRST) == 0);
	expect("the one there stays", t_netlink_do(other, P4A_CMD_TENANT_GET, attrs) == 0);
}

int main(int argc, char **argv)
{
	struct t_netlink *nl = t_netlink_open(), *listener;

	if (argc > 1) {
		puts("usage: netlink-state\n"
		     "As root, module loaded, in a network namespace where nothing else changes; uses\n"
		     "tenants 5000 to 5499, sets geometry and policy. Leaves a namespace with a tenant\n"
		     "behind for the kernel to clean up. Exit: 0 pass, 1 fail, 77 no root or module.");
		return 0;
	}
	if (!nl || geteuid())
		return T_SKIP;
	check_dump(nl);
	listener = t_netlink_open();
	expect("listen", t_netlink_listen(listener) == 0);
	check_events(nl, listener);
	check_namespaces(nl, listener);
	puts(failures ? "netlink-state: failed" : "netlink-state: ok");
	return failures ? T_FAIL : T_PASS;
}
