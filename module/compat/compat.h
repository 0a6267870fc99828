/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - what older kernels lack, included before every source of the module. The only file
 * that may look at LINUX_VERSION_CODE; the sources are written for the newest kernel.
 */
#ifndef P4HOMA_COMPAT_H
#define P4HOMA_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete(timer)		del_timer(timer)
#endif

#endif /* P4HOMA_COMPAT_H */
