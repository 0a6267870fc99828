/* SPDX-License-Identifier: GPL-2.0 */
/*
 * options.h - bind, socket options, ioctls.
 */
#ifndef P4HOMA_OPTIONS_H
#define P4HOMA_OPTIONS_H

#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sockptr.h>
#include <linux/types.h>

struct sock;
struct sockaddr;
struct socket;

int homa_bind(struct sock *sk, struct sockaddr *addr, int addr_len);
int homa_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		    unsigned int optlen);
int homa_getsockopt(struct sock *sk, int level, int optname, char __user *optval,
		    int __user *optlen);
int homa_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
int homa_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);

/* How many of `nr` RPCs a list has, at `size` bytes each: kvmalloc() gives no more than INT_MAX. Pure. */
static inline u32 homa_list_max(u32 nr, size_t size)
{
	return min_t(u64, nr, INT_MAX / size);
}

#endif /* P4HOMA_OPTIONS_H */
