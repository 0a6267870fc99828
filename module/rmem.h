/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rmem.h - memory of packets that were received and not yet handed out, charged to their socket.
 */
#ifndef P4HOMA_RMEM_H
#define P4HOMA_RMEM_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <net/sock.h>

#include "rpc.h"
#include "sock.h"

#define HOMA_RMEM_QUANTUM	SZ_32K	/* drawn at a time */
#define HOMA_RMEM_SPARE		SZ_64K	/* drawn and not needed, that a socket may keep */

/* For both `struct proto`s. */
extern atomic_long_t homa_rmem_allocated;
DECLARE_PER_CPU(int, homa_rmem_fw_alloc);
extern long homa_rmem_limits[3];
extern int homa_rmem_least[1];

#define HOMA_RMEM_PROTO \
	.memory_allocated = &homa_rmem_allocated, \
	.per_cpu_fw_alloc = &homa_rmem_fw_alloc, \
	.sysctl_mem = homa_rmem_limits, \
	.sysctl_rmem = homa_rmem_least, \
	.sysctl_wmem = homa_rmem_least,

void homa_rmem_init(void);
void homa_rmem_sock_init(struct homa_sock *hsk);
/* Nobody holds the socket any more, nor any of its memory. */
void homa_rmem_sock_exit(struct homa_sock *hsk);

/* Bytes; what SO_RCVBUF asks for, but a message at least. */
static inline int homa_rmem_max(const struct sock *sk)
{
	return clamp(READ_ONCE(sk->sk_rcvbuf), HOMA_MAX_MESSAGE_LENGTH, SZ_1G);
}

bool homa_rmem_promise_long(struct homa_rpc *rpc);
bool homa_rmem_kept(struct homa_rpc *rpc, u32 bytes);

/* May the message begin? Not while one needs memory that there is not; nor if there would not be enough
 * for all that have begun. rpc->lock is held in these two.
 */
static inline bool homa_rmem_promise(struct homa_rpc *rpc)
{
	if (READ_ONCE(rpc->hsk->spare_max) < 0)
		return false;
	return rpc->in.length <= HOMA_RMEM_SPARE || homa_rmem_promise_long(rpc);
}

/* So many bytes of it are here, or never come. True: all; messages may have waited for that. */
static inline bool homa_rmem_keep_promise(struct homa_rpc *rpc, u32 bytes)
{
	return rpc->in.promised && homa_rmem_kept(rpc, bytes);
}

bool homa_rmem_draw(struct homa_rpc *rpc, int held);
void homa_rmem_give_back(struct homa_rpc *rpc);

/* Memory of a packet for `rpc`, which is locked. False: there is none, nothing was charged. Softirq. */
static inline bool homa_rmem_charge(struct homa_rpc *rpc, u32 bytes)
{
	struct sock *sk = homa_to_sk(rpc->hsk);
	int held = atomic_add_return(bytes, &sk->sk_rmem_alloc);

	if (unlikely(held > READ_ONCE(rpc->hsk->drawn)) && !homa_rmem_draw(rpc, held)) {
		atomic_sub(bytes, &sk->sk_rmem_alloc);
		return false;
	}
	rpc->in.kept += bytes;
	return true;
}

/* The packet is not kept after all. The RPC is locked still. */
static inline void homa_rmem_cancel(struct homa_rpc *rpc, u32 bytes)
{
	/* Who may go beyond keeps something, so that its end is seen. */
	if (rpc->in.kept == bytes && READ_ONCE(rpc->hsk->beyond) == rpc)
		return;
	atomic_sub(bytes, &homa_to_sk(rpc->hsk)->sk_rmem_alloc);
	rpc->in.kept -= bytes;
}

/* All packets were freed, and none is added any more. No lock is held. */
static inline void homa_rmem_uncharge(struct homa_rpc *rpc)
{
	struct sock *sk = homa_to_sk(rpc->hsk);
	int held = atomic_sub_return(rpc->in.kept, &sk->sk_rmem_alloc);

	rpc->in.kept = 0;
	if (unlikely(READ_ONCE(rpc->hsk->drawn) - held > READ_ONCE(rpc->hsk->spare_max)))
		homa_rmem_give_back(rpc);
}

#endif /* P4HOMA_RMEM_H */
