/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - gives older kernels what the sources expect of the newest. Included before everything
 * else in each of them; nothing outside of this folder asks for a kernel's version.
 */
#ifndef P4HOMA_COMPAT_H
#define P4HOMA_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#include <linux/uaccess.h>
#include <linux/uio.h>

static inline int import_ubuf(int direction, void __user *to, size_t len, struct iov_iter *iter)
{
	if (!access_ok(to, len))
		return -EFAULT;
	iov_iter_ubuf(iter, direction, to, len);
	return 0;
}
#endif

/* A table of sysctls ended with an empty entry, which is allocated but not counted. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#include <linux/sysctl.h>

#define HOMA_SYSCTL_END	1
#define register_net_sysctl_sz(net, path, table, size)	register_net_sysctl(net, path, table)
#else
#define HOMA_SYSCTL_END	0
#endif

/* Handlers of sysctls could change the table. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define ctl_const
#else
#define ctl_const		const
#endif

/* Where the IPv6 part of a socket is: at its end, before the protocol could say so. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define HOMA_PINFO_OFFSET(type, member)
#else
#define HOMA_PINFO_OFFSET(type, member)	.ipv6_pinfo_offset = offsetof(type, member),
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define genl_info_dump(cb)	genl_dumpit_info(cb)	/* both have attrs */
#endif

#endif /* P4HOMA_COMPAT_H */
