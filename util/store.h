/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - one node's partition: values, locks, undo records, and which keys are in the switch.
 *
 * A node owns the keys with key % nodes == node. Transactions lock keys exclusively and never wait:
 * an access takes all its keys or none. A key in the switch is refused until it has been put back.
 * All calls may be made from any thread.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "start.h"
#include "trace.h"

struct store;

enum store_verdict {
	STORE_OK = 0,
	STORE_LOCKED = 1,		/* another transaction holds a key: nothing was done */
	STORE_IN_SWITCH = 2,		/* a key is in the switch now: nothing was done */
	STORE_FOREIGN = 3,		/* a key is not ours: nothing was done */
	STORE_ABORT = 4,		/* a TRACE_CADD says no: nothing was done */
};

struct store_result {
	uint32_t got;			/* value before the operation */
	uint32_t version;		/* accesses of this key in the store, this one included */
	uint64_t epoch;			/* last epoch in which the key was in the switch; 0: never */
};

struct store *store_new(uint32_t keys, enum start start, unsigned int nodes, unsigned int node);
void store_free(struct store *s);

/*
 * Locks the keys of n operations for transaction `txn` and executes them. A transaction has one
 * access at an owner; a repeat is answered from its undo record. sum: of the results of its sources
 * elsewhere.
 */
enum store_verdict store_access(struct store *s, uint64_t txn, const struct trace_op *ops,
				unsigned int n, uint32_t sum, struct store_result *results);

/*
 * Ends a transaction here: unlocks its keys, with undo puts values and versions back before.
 * Unknown transactions are ignored, so this may be repeated.
 */
void store_release(struct store *s, uint64_t txn, bool undo);

/*
 * Marks n own keys as in the switch, waits until no transaction holds any of them, and reads them.
 * Returns 0, or -ETIMEDOUT (the keys are then as before).
 */
int store_take(struct store *s, const uint32_t *keys, size_t n, uint32_t *values, int timeout_ms);

/* Keys come back from the switch; values NULL: unchanged. epoch 0: they never got there. */
void store_put(struct store *s, const uint32_t *keys, size_t n, const uint32_t *values,
	       uint64_t epoch);

/* Value and number of accesses of an own key. */
void store_peek(struct store *s, uint32_t key, uint32_t *value, uint32_t *version);

uint32_t store_value(void *store, uint32_t key);	/* likewise, for those who call it by a pointer */

/* The last epoch in which an own key was in the switch; 0: never. */
uint64_t store_epoch(struct store *s, uint32_t key);

/* Transactions that hold locks here. */
size_t store_holders(struct store *s);

#endif /* STORE_H */
