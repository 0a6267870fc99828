/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bank.h - SmallBank: accounts with savings and checking, six kinds of transactions, one truth: no money
 * comes from nowhere, and none goes there.
 *
 * Key of account a's savings: a; of its checking: accounts + a. The number of accounts is a multiple of
 * the nodes, so both are at one node. In each node's transactions the first `hot` accounts are wanted
 * `hot_percent` times of 100.
 */
#ifndef BANK_H
#define BANK_H

#include "history.h"
#include "trace.h"

#define BANK_START 10000	/* in savings and in checking of each account */

struct bank {
	uint32_t accounts, hot, hot_percent, txns, seed;
	uint8_t *kind;			/* of each transaction of this node: enum bank_kind */
	uint32_t inflow;		/* modulo 2^32: what this node's transactions have brought in */
	uint64_t wrong;			/* committed ones that must not have been */
};

enum bank_kind {			/* and how many of 100 */
	BANK_AMALGAMATE,		/* 15: all of one account to another's checking */
	BANK_BALANCE,			/* 15 */
	BANK_DEPOSIT,			/* 15: to checking */
	BANK_SEND,			/* 25: checking to checking, if there is enough */
	BANK_SAVINGS,			/* 15: to or from savings, not below 0 */
	BANK_CHECK,			/* 15: from checking; one more if savings and it have not enough */
};

/* Draws a node's transactions; kind NULL: of no interest. 0 or -ENOMEM. */
int bank_trace(const struct bank *b, unsigned int node, struct trace *t, uint8_t *kind);

/* A transaction of this node has committed. */
void bank_committed(void *arg, uint32_t number, const struct history_op *ops, unsigned int n);

#endif /* BANK_H */
