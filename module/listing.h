/* SPDX-License-Identifier: GPL-2.0 */
/*
 * listing.h - the RPCs of a network namespace, for who may see them.
 */
#ifndef P4HOMA_LISTING_H
#define P4HOMA_LISTING_H

#include <linux/types.h>
#include <linux/uidgid.h>

struct homa_net;
struct homa_rpc_cursor;
struct homa_rpc_view;
struct user_namespace;

struct homa_viewer {
	bool sees_all;
	kuid_t uid;			/* else: sees RPCs of sockets of this user */
	struct user_namespace *ns;	/* uids are told as they are there */
};

/* Where a listing goes on, *at says, see rpc.h. False: there are no more. Process context. */
bool homa_listing_next(struct homa_net *hn, const struct homa_viewer *viewer,
		       struct homa_rpc_cursor *at, struct homa_rpc_view *view);

#endif /* P4HOMA_LISTING_H */
