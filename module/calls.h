/* SPDX-License-Identifier: GPL-2.0 */
/*
 * calls.h - sendmsg and recvmsg.
 */
#ifndef P4HOMA_CALLS_H
#define P4HOMA_CALLS_H

#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/types.h>

struct homa_sock;
struct msghdr;
struct sock;

int homa_charge(struct homa_sock *hsk, u32 len, bool nonblock);
int homa_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
int homa_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len);

/* Between pieces of 64 KiB of a long message: whoever has had less of the CPU than we may go on now,
 * not only whoever may interrupt us. Waiting for the end of a long message is what makes short ones
 * slow. May sleep.
 */
static inline void homa_take_turns(void)
{
	if (!single_task_running())
		schedule();
}

#endif /* P4HOMA_CALLS_H */
