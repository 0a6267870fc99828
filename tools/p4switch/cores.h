/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cores.h - the CPUs that the switch may run on. */
#ifndef CORES_H
#define CORES_H

#include <stddef.h>

#define CORES_TEXT	512	/* a list of CPUs, as of 256 each second one */

/* Those that are online, as the kernel lists them (0-1,3), or -errno. */
int cores_online(char *list, size_t len);

/* 0, or -EINVAL and what is wrong with a user's list, given those that are online. Pure. DPDK would answer
 * with a hundred lines of its own options, or with no reason.
 */
int cores_check(const char *list, const char *online, char *err, size_t len);

#endif /* CORES_H */
