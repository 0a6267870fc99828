/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * account.h - what each tenant was due and what it had: credits for blocks lent.
 *
 * Pure. A tenant that waits for blocks or holds some is due a share by weight of all blocks that
 * are held, among those that do too. So what all are due is what all have. Having less than that
 * earns credit, having more costs it. Credit scales the worth of the tenant's blocks when they are
 * divided, so in the long run everybody has what it was due, at the times at which it is worth
 * most. What is not wanted earns nothing.
 */
#ifndef P4D_ACCOUNT_H
#define P4D_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct p4d_ledger {
	uint64_t now;
	uint64_t due;		/* to weight 1 since ever, in 1/65536 block-us */
	uint64_t weights;	/* of those who want */
	uint32_t held;		/* blocks, by all */
};

struct p4d_account {
	bool wants;
	uint32_t weight;	/* since it wants */
	uint64_t due_from;	/* the ledger's then */
	uint32_t blocks;	/* that it holds */
	uint64_t held_from;
	int64_t credit;		/* block-us */
	uint64_t mean;		/* due for a batch, of the last ones */
	uint64_t due, had;	/* since ever */
};

/* Time passes. Before each of the others. */
void p4d_ledger_advance(struct p4d_ledger *l, uint64_t now);

void p4d_account_want(struct p4d_ledger *l, struct p4d_account *a, uint32_t weight);
void p4d_account_hold(struct p4d_ledger *l, struct p4d_account *a, uint32_t blocks);

/* It has other blocks from now on. */
void p4d_account_resize(struct p4d_ledger *l, struct p4d_account *a, uint32_t blocks);

/* Wants no more, or not for now: the books are balanced. */
void p4d_account_rest(struct p4d_ledger *l, struct p4d_account *a);

/* 16 times the weight; doubled by each eight batches' worth of credit; at least 1. */
uint32_t p4d_account_factor(const struct p4d_account *a, uint32_t weight);

#endif /* P4D_ACCOUNT_H */
