/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle.h - which transactions without a reply were done, as far as the results of others show it.
 *
 * doc/log.md says why what is found here may be believed. The answer depends on nothing but what is
 * given, so all who read the same logs come to the same one.
 */
#ifndef P4A_SETTLE_H
#define P4A_SETTLE_H

#include "replay.h"

#define P4A_SETTLE_TXNS		64	/* more in doubt in one epoch, or */
#define P4A_SETTLE_GAPS		32	/* more serials free, are not tried */
#define P4A_ABORT_LOOKS		(1 << 22)	/* for reasons of aborts, in one epoch; then they have none */

struct p4a_touch {			/* of one key, at one place in the order */
	uint64_t key, epoch, serial;
	uint32_t before, after;
	uint8_t order;			/* within the transaction */
	bool fill, drain;
};

struct p4a_touches {			/* of all epochs, by key, epoch, serial, order */
	const struct p4a_touch *touch;
	size_t n;
};

/* Of a key in an epoch: the first behind that serial, the last not behind it; or NULL. */
const struct p4a_touch *p4a_touch_after(const struct p4a_touches *all, uint64_t key, uint64_t epoch,
					uint64_t serial);
const struct p4a_touch *p4a_touch_until(const struct p4a_touches *all, uint64_t key, uint64_t epoch,
					uint64_t serial);

struct p4a_settle_txn {			/* in doubt */
	struct p4a_replay_op *op;	/* `before` is scratch, and valid afterwards if it was done */
	unsigned int count;
	uint64_t above;			/* its node had seen this serial when it sent it; 0: none */
	uint64_t serial;		/* result; 0: nobody has seen it */
};

struct p4a_settle {
	uint64_t epoch;
	struct p4a_touches touches;	/* known ones */
	const uint64_t *gaps;		/* serials of the epoch that nobody is known to have, ascending */
	unsigned int nr_gaps;
	uint64_t breaks;		/* touches of the epoch that found what none of these left */
	struct p4a_settle_txn *txns;	/* all that may have a serial of gaps[] */
	unsigned int nr_txns;
};

/*
 * True: with those transactions done that have got a serial, and without the others, every touch finds
 * what the one before it has left; no other choice is as good. False: it can't be told.
 */
bool p4a_settle(struct p4a_settle *s);

/* What instruction i of n leaves, given what it and the sources have found. */
uint32_t p4a_replay_left(const struct p4a_replay_op *op, unsigned int i, unsigned int n);

/* Settles what it can of epochs above `after`: 1 if that has made transactions committed, 0, or -ENOMEM. */
int p4a_replay_settle(struct p4a_replay *r, uint64_t after);

/* Counts transactions above `after` that have aborted for no reason that is known: 0 or -ENOMEM. */
int p4a_replay_aborts(const struct p4a_replay *r, uint64_t after, uint64_t *unexplained);

#endif
