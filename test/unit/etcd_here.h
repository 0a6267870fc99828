/* SPDX-License-Identifier: GPL-2.0-or-later */
/* etcd_here.h - an etcd of one test's own, on this machine; and children killed at a call. */
#ifndef ETCD_HERE_H
#define ETCD_HERE_H

#include <stdbool.h>
#include <sys/types.h>

extern char etcd_at[32];	/* HOST:PORT */

int etcd_start(void);		/* 0 when it answers */
int etcd_stop(void);

/* /test/switch/NAME/leader goes, as if its lease had ended. */
void etcd_forget_leader(const char *name);

/*
 * A child that has asked to be traced and stopped itself: lets it run to the nth time that it
 * enters or leaves the kernel. False: it ended before.
 */
bool trace_to(pid_t pid, unsigned int n, int *status);

#endif /* ETCD_HERE_H */
