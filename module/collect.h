/* SPDX-License-Identifier: GPL-2.0 */
/*
 * collect.h - the RPCs of a socket, for who looks at each of them.
 */
#ifndef P4HOMA_COLLECT_H
#define P4HOMA_COLLECT_H

#include <linux/types.h>

struct homa_rpc;
struct homa_sock;

/* References to up to `max` RPCs of the socket, oldest first: who is there all the time comes once. May
 * sleep.
 */
u32 homa_collect(struct homa_sock *hsk, struct homa_rpc **rpcs, u32 max);

#endif /* P4HOMA_COLLECT_H */
