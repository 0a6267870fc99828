/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_etcd.h - records in etcd, each a key under PREFIX/switch/NAME/record/. See store.h.
 *
 * Only for who has won the election. Each transaction compares the leader's key, so one that was
 * deposed writes nothing, and a number that counts transactions, so one that was sent twice, as its
 * answer was lost, is carried out once. A commit that is too long for one transaction is first
 * written aside (redo/), then made valid by one key, then carried out piece by piece; who comes
 * next finishes that.
 */
#ifndef P4D_STORE_ETCD_H
#define P4D_STORE_ETCD_H

#include "store.h"

struct p4d_election;
struct p4d_etcd;
struct p4d_store_etcd;

extern const struct p4d_store_ops p4d_store_etcd_ops;

/* prefix as that of the election. NULL: no memory. */
struct p4d_store_etcd *p4d_store_etcd_create(struct p4d_etcd *etcd, struct p4d_election *el,
					     const char *prefix);
#endif /* P4D_STORE_ETCD_H */
