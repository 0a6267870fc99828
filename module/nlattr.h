/* SPDX-License-Identifier: GPL-2.0 */
#ifndef P4HOMA_NLATTR_H
#define P4HOMA_NLATTR_H

#include <linux/types.h>
#include <net/netlink.h>
#include <uapi/linux/p4alloc.h>
#include "txn.h"

struct genl_info;

struct homa_alloc_view {
	u32 tenant;
	u32 space;
	struct homa_txn_state state;
};

struct homa_stat_view {
	struct homa_net *hn;
	int i;
};

struct homa_rpc_view {
	u64 id;
	u8 peer[16];
	u16 peer_port, port;
	u32 state, uid, tenant, flags;
	u32 tx_length, tx_sent, tx_granted;
	u32 rx_length, rx_received, rx_granted;
	u32 age_ms, silence_ms;
};

extern const struct nla_policy homa_nl_policy[P4A_A_MAX + 1];

int homa_nl_check(const struct genl_info *info, u64 required, u64 optional);

/* All are of this type, so that a message can be made around any of them. */
typedef int homa_nl_put_t(struct sk_buff *msg, const void *what);

homa_nl_put_t homa_nl_put_tenant;	/* struct homa_tenant */
homa_nl_put_t homa_nl_put_tenant_id;	/* u32 */
homa_nl_put_t homa_nl_put_geometry;	/* struct homa_geometry */
homa_nl_put_t homa_nl_put_policy;	/* struct homa_policy */
homa_nl_put_t homa_nl_put_alloc;	/* struct homa_alloc_view */
homa_nl_put_t homa_nl_put_rpc;		/* struct homa_rpc_view */
homa_nl_put_t homa_nl_put_stat;		/* struct homa_stat_view */

#endif
