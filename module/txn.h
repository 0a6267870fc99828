/* SPDX-License-Identifier: GPL-2.0 */
#ifndef P4HOMA_TXN_H
#define P4HOMA_TXN_H

#include <linux/types.h>
#include "alloc.h"
#include "tenant.h"

struct homa_sendmsg_args;
struct homa_sock;
struct msghdr;
struct sk_buff;

/* What GET tells about a tenant's allocation. */
struct homa_txn_state {
	struct homa_grant_spec spec;
	u32 outstanding;
	struct homa_tenant_stats stats;
};

static inline enum homa_txn_space homa_txn_other(enum homa_txn_space space)
{
	return HOMA_TXN_SPACES - 1 - space;
}

int homa_txn_sendmsg(struct homa_sock *hsk, struct msghdr *msg, size_t len,
		     struct homa_sendmsg_args *args);
void homa_txn_reply_pkt(struct homa_net *hn, struct sk_buff *skb, const struct in6_addr *saddr);
void homa_txn_sock_shutdown(struct homa_sock *hsk);

void homa_txn_tenant_init(struct homa_tenant *t);
void homa_txn_tenant_exit(struct homa_tenant *t);
int homa_txn_grant(struct homa_tenant *t, enum homa_txn_space space,
		   const struct homa_grant_spec *spec, struct netlink_ext_ack *ack);
u64 homa_txn_epoch(struct homa_tenant *t, enum homa_txn_space space);
void homa_txn_state(struct homa_tenant *t, enum homa_txn_space space,
		    struct homa_txn_state *state);

#endif
