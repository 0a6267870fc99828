/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * l2.h - the program's table `l2`: addresses that somebody added, and addresses learnt from what
 * hosts send. l2_seen() may be called while packets are inside of the pipeline; what it finds
 * goes into the table by l2_commit(), which like l2_add() and l2_del() needs an empty one.
 */
#ifndef P4SWITCH_L2_H
#define P4SWITCH_L2_H

#include <stdbool.h>
#include <stdint.h>

struct rte_swx_ctl_pipeline;

#define L2_ENTRIES	1000	/* the table takes 1024 */
#define L2_NEWS		64	/* learnt between two commits; the rest from later packets */
#define L2_BUCKETS	256

struct l2_entry {
	uint8_t mac[6];
	uint8_t port;
	bool fixed;		/* added by a command: never learnt away */
	int16_t next;		/* in its bucket, or -1 */
};

struct l2 {
	struct rte_swx_ctl_pipeline *ctl;
	struct l2_entry entry[L2_ENTRIES];
	unsigned int nr_entries, oldest;
	int16_t bucket[L2_BUCKETS];
	struct l2_entry news[L2_NEWS];
	unsigned int nr_news;
};

void l2_init(struct l2 *l2);
void l2_seen(struct l2 *l2, const uint8_t mac[6], unsigned int port);
int  l2_commit(struct l2 *l2);
int  l2_add(struct l2 *l2, const uint8_t mac[6], unsigned int port);	/* -ENOSPC, -EIO */
int  l2_del(struct l2 *l2, const uint8_t mac[6]);			/* -ENOENT, -EIO */

#endif
