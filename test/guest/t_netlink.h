/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_netlink.h - requests to the family p4alloc, good and bad ones, for test programs. */
#ifndef T_NETLINK_H
#define T_NETLINK_H

#include <stdint.h>
#include <linux/p4alloc.h>

struct nlattr;
struct t_netlink;

/* size 1, 2, 4, 8: `value` as a number; otherwise `size` bytes at `data`. */
struct t_attr {
	int type;
	int size;
	uint64_t value;
	const void *data;
};

#define T_U16(name, value)	{ P4A_A_##name, 2, value, NULL }
#define T_U32(name, value)	{ P4A_A_##name, 4, value, NULL }
#define T_U64(name, value)	{ P4A_A_##name, 8, value, NULL }
#define T_BYTES(name, n, p)	{ P4A_A_##name, n, 0, p }
#define T_END			{ 0, 0, 0, NULL }

struct t_netlink *t_netlink_open(void);		/* NULL: the module is not loaded */
int t_netlink_do(struct t_netlink *nl, int cmd, const struct t_attr *attrs);	/* 0 or -errno */
const char *t_netlink_text(const struct t_netlink *nl);	/* what the kernel said to the last one */
int64_t t_netlink_counter(struct t_netlink *nl, const char *name);	/* -1: there is none */

/* Calls `see` for each message of a dump, with the attributes by type. 0, -errno, or -EINTR if the
 * state changed meanwhile.
 */
typedef void t_see_t(int cmd, struct nlattr **attrs, void *arg);
int t_netlink_dump(struct t_netlink *nl, int cmd, t_see_t *see, void *arg);
/* Listens to the events from now on; then the next one, or -ETIME. */
int t_netlink_listen(struct t_netlink *nl);
int t_netlink_event(struct t_netlink *nl, t_see_t *see, void *arg, int timeout_ms);

/* A tenant of anybody who is root, which holds the first `blocks` blocks and `flows` flows. */
int t_netlink_allocate(struct t_netlink *nl, uint32_t tenant, uint64_t epoch, uint32_t allocator,
		       int blocks, int flows);
int t_netlink_grant(struct t_netlink *nl, uint32_t tenant, uint64_t epoch, int blocks, int flows);

#endif
