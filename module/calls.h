/* SPDX-License-Identifier: GPL-2.0 */
/*
 * calls.h - sendmsg and recvmsg.
 */
#ifndef P4HOMA_CALLS_H
#define P4HOMA_CALLS_H

#include <linux/types.h>

struct homa_sock;
struct msghdr;
struct sock;

int homa_charge(struct homa_sock *hsk, u32 len, bool nonblock);
int homa_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
int homa_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len);

#endif /* P4HOMA_CALLS_H */
