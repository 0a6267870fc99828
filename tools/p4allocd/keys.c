// SPDX-License-Identifier: GPL-2.0-or-later
/* keys.c - see keys.h. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>

#include "keys.h"
#include "out.h"

static struct p4d_key read_key(const struct p4w_lock_key *entry)
{
	return (struct p4d_key){ be64toh(entry->key), ntohl(entry->count) };
}

void p4d_keys_add(struct p4d_keys *k, const struct p4w_lock_key *list, size_t n)
{
	size_t room = k->n + n < P4D_KEYS_MERGED ? k->n + n : P4D_KEYS_MERGED;
	struct p4d_key *out = p4d_alloc((room + 1) * sizeof(*out));
	size_t spare = room - k->n, i = 0, j = 0, m = 0;

	while (j < n) {
		struct p4d_key b = read_key(&list[j++]);

		while (i < k->n && k->key[i].key < b.key)
			out[m++] = k->key[i++];
		if (i < k->n && k->key[i].key == b.key) {
			b.count += k->key[i++].count;
		} else if (!spare) {
			continue;
		} else {
			spare--;
		}
		out[m++] = b;
	}
	while (i < k->n)
		out[m++] = k->key[i++];
	free(k->key);
	*k = (struct p4d_keys){ out, m };
}

void p4d_keys_free(struct p4d_keys *k)
{
	free(k->key);
	*k = (struct p4d_keys){ 0 };
}

/* A key's count and, below it, its place: ascending keys have ascending places. */
#define PLACE_BITS 14
#define PLACE_MASK ((1u << PLACE_BITS) - 1)

_Static_assert(P4D_KEYS_MERGED <= 1u << PLACE_BITS, "places");
_Static_assert(P4W_NODES_MAX <= 1u << 6, "64 counts of 32 bits and a place fit into 52 bits");

/* A pass of a radix sort, stable and descending: false if all have the same byte there. */
static bool sort_by(const uint64_t *from, uint64_t *to, size_t n, unsigned int shift)
{
	size_t at[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		at[from[i] >> shift & 0xff]++;
	if (at[from[0] >> shift & 0xff] == n)
		return false;
	for (unsigned int b = 256; b--; ) {
		size_t here = at[b];

		at[b] = sum;
		sum += here;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i] >> shift & 0xff]++] = from[i];
	return true;
}

void p4d_keys_heaviest(struct p4d_keys *k, size_t max)
{
	uint64_t *weight = p4d_alloc((2 * k->n + 1) * sizeof(*weight));
	uint64_t *from = weight, *to = weight + k->n;
	size_t n = k->n < max ? k->n : max;
	struct p4d_key *out = p4d_alloc((n + 1) * sizeof(*out));

	for (size_t i = 0; i < k->n; i++)
		weight[i] = k->key[i].count << PLACE_BITS | i;
	/* Places are in order already, and stay so among equal counts. */
	for (unsigned int shift = PLACE_BITS; k->n && shift < 64; shift += 8)
		if (sort_by(from, to, k->n, shift)) {
			uint64_t *swap = from;

			from = to;
			to = swap;
		}
	for (size_t i = 0; i < n; i++)
		out[i] = k->key[from[i] & PLACE_MASK];
	free(weight);
	free(k->key);
	*k = (struct p4d_keys){ out, n };
}

void p4d_keys_deal(const struct p4d_key *key, size_t n, unsigned int bits, uint8_t *bit)
{
	uint64_t load[256];	/* count << 8 | bit: the least is the lightest, then the lowest bit */

	for (unsigned int b = 0; b < bits; b++)
		load[b] = b;
	for (size_t i = 0; i < n; i++) {
		uint64_t least = load[0];

		for (unsigned int b = 1; b < bits; b++)
			least = load[b] < least ? load[b] : least;
		bit[i] = least & 0xff;
		load[bit[i]] += key[i].count << 8;
	}
}
