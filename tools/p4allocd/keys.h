/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.h - second-pass keys of a tenant: the lists of its nodes made one, and dealt to lock bits.
 * Pure.
 *
 * A key's bit is held between the passes of each transaction that has the key in its second pass, and
 * looked at by every transaction that has it at all. So two keys that share a bit are in each other's
 * way as often as their counts multiplied say, and the sum of squares of the bits' counts is what is
 * to be small: heaviest first, each to the lightest bit.
 */
#ifndef P4D_KEYS_H
#define P4D_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "p4wire.h"

#define P4D_KEYS_MERGED (4 * P4W_LOCK_KEYS_MAX)	/* different keys of a tenant that are looked at */

struct p4d_key {
	uint64_t key;
	uint64_t count;		/* of all nodes */
};

struct p4d_keys {		/* {0}: none */
	struct p4d_key *key;	/* ascending */
	size_t n;
};

/*
 * Adds a node's list, ascending as p4d_proto_decode() has seen to. Beyond P4D_KEYS_MERGED different
 * keys new ones are left out.
 */
void p4d_keys_add(struct p4d_keys *k, const struct p4w_lock_key *list, size_t n);
void p4d_keys_free(struct p4d_keys *k);

/* Leaves the `max` keys with most accesses, by descending count, ties by ascending key. */
void p4d_keys_heaviest(struct p4d_keys *k, size_t max);

/* bit[i], 0 .. bits-1, of each of n keys that are sorted by descending count. */
void p4d_keys_deal(const struct p4d_key *key, size_t n, unsigned int bits, uint8_t *bit);

#endif /* P4D_KEYS_H */
