// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * counts.c - what a node's transactions access, and what they access together; layouts from it.
 *
 * Owns struct p4a_counts: an open-addressing table of counts by key, which never has more than max_keys of
 * them, and a fixed sample of transactions. Pure but for that; no clock, no randomness from outside, so
 * equal input gives equal counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "layout.h"

#define KEYS_MAX	(1u << 28)
#define SAMPLE		1024		/* transactions */
#define SAMPLE_OPS	16		/* keys of each; one with more is not sampled */
#define FLAGS		(P4A_KEY_DEPENDENT | P4A_KEY_SOURCE)
#define TOGETHER_MAX	64
#define ERRORS_ARE_EQUAL 1e-9

struct sampled {
	uint32_t n;
	uint64_t key[SAMPLE_OPS];
};

struct p4a_counts {
	size_t max_keys, keys;
	unsigned int shift;		/* the table has 2^(64 - shift) entries */
	struct p4a_key_count *table;	/* count 0: empty */
	uint64_t seen;			/* transactions that could have been sampled */
	uint64_t random;
	struct sampled sample[SAMPLE];
};

static size_t slots_of(const struct p4a_counts *c)
{
	return (size_t)1 << (64 - c->shift);
}

static struct p4a_key_count *find(const struct p4a_counts *c, uint64_t key)
{
	size_t mask = slots_of(c) - 1, i;

	for (i = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> c->shift; c->table[i].count;
	     i = (i + 1) & mask)
		if (c->table[i].key == key)
			break;
	return &c->table[i];
}

int p4a_counts_new(struct p4a_counts **out, size_t max_keys)
{
	struct p4a_counts *c;

	if (!max_keys || max_keys > KEYS_MAX)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->max_keys = max_keys;
	c->shift = 61;
	while (slots_of(c) < 2 * max_keys)
		c->shift--;
	c->table = calloc(slots_of(c), sizeof(*c->table));
	if (!c->table) {
		free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void p4a_counts_free(struct p4a_counts *c)
{
	if (!c)
		return;
	free(c->table);
	free(c);
}

/* Halves every count; what comes to 0 is forgotten. 0 or -ENOMEM, with nothing changed. */
int p4a_counts_age(struct p4a_counts *c)
{
	struct p4a_key_count *old = c->table, *fresh = calloc(slots_of(c), sizeof(*fresh));
	size_t i;

	if (!fresh)
		return -ENOMEM;
	c->table = fresh;
	c->keys = 0;
	for (i = 0; i < slots_of(c); i++) {
		uint64_t count = (old[i].count & ~FLAGS) / 2;

		if (!count)
			continue;
		*find(c, old[i].key) = (struct p4a_key_count) {
			old[i].key, count | (old[i].count & FLAGS),
		};
		c->keys++;
	}
	free(old);
	return 0;
}

/* Counts stay far below what a layout takes in all. */
static void count(struct p4a_counts *c, struct p4a_key_count *at, uint64_t key, uint64_t more)
{
	uint64_t most = P4A_MAX_TOTAL / c->max_keys, sum = (at->count & ~FLAGS) + (more & ~FLAGS);

	c->keys += !at->count;
	at->key = key;
	at->count = (sum < most ? sum : most) | ((at->count | more) & FLAGS);
}

static uint64_t draw(struct p4a_counts *c)
{
	uint64_t x = c->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Each transaction so far has the same chance to be in the sample. */
static void sample(struct p4a_counts *c, const struct p4a_op *ops, unsigned int n)
{
	uint64_t at = c->seen++;
	struct sampled *s;
	unsigned int i;

	if (n > SAMPLE_OPS)
		return;
	if (at >= SAMPLE)
		at = draw(c) % c->seen;
	if (at >= SAMPLE)
		return;
	s = &c->sample[at];
	s->n = n;
	for (i = 0; i < n; i++)
		s->key[i] = ops[i].key;
}

int p4a_counts_txn(struct p4a_counts *c, const struct p4a_op *ops, unsigned int n)
{
	unsigned int i;
	int rc;

	if (n > P4A_MAX_OPS)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		uint64_t more = 1;

		while (!find(c, ops[i].key)->count && c->keys == c->max_keys) {
			rc = p4a_counts_age(c);
			if (rc)
				return rc;
		}
		if (ops[i].code & P4A_DEPENDENT)
			more |= P4A_KEY_DEPENDENT;
		if (ops[i].code & P4A_SOURCE)
			more |= P4A_KEY_SOURCE;
		count(c, find(c, ops[i].key), ops[i].key, more);
	}
	sample(c, ops, n);
	return 0;
}

int p4a_counts_add(struct p4a_counts *c, const struct p4a_key_count *kc, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct p4a_key_count *at = find(c, kc[i].key);

		if (!(kc[i].count & ~FLAGS))
			return -EINVAL;
		if (!at->count && c->keys == c->max_keys)
			return -ENOSPC;
		count(c, at, kc[i].key, kc[i].count);
	}
	return 0;
}

size_t p4a_counts_get(const struct p4a_counts *c, struct p4a_key_count *kc, size_t n)
{
	size_t i, found = 0;

	for (i = 0; i < slots_of(c) && kc; i++)
		if (c->table[i].count && found < n)
			kc[found++] = c->table[i];
	return c->keys;
}

int p4a_counts_layout(const struct p4a_counts *c, struct p4a_layout **out,
		      const struct p4a_geometry *geo, struct p4a_error *err)
{
	struct p4a_key_count *kc = malloc((c->keys + 1) * sizeof(*kc));
	int rc;

	if (!kc)
		return p4a_fail(err, -ENOMEM, "no memory for %zu keys", c->keys);
	p4a_counts_get(c, kc, c->keys);
	rc = p4a_layout_from_counts(out, geo, kc, c->keys, err);
	free(kc);
	return rc;
}

/* ---- what belongs together ---- */

struct shares {				/* by number of blocks */
	uint32_t accesses[P4A_MAX_BLOCKS + 1];	/* to keys in these blocks */
	uint32_t whole[P4A_MAX_BLOCKS + 1];	/* transactions with all their keys there */
	uint32_t all_accesses, all;
};

static unsigned int block_of(const struct p4a_layout *layout, uint64_t key)
{
	struct p4a_cell cell;

	if (!p4a_layout_lookup(layout, key, &cell))
		return P4A_MAX_BLOCKS;
	return cell.slot / P4A_BLOCK_SLOTS;
}

static void measure(const struct p4a_counts *c, const struct p4a_layout *layout, struct shares *s)
{
	unsigned int i, k, b, last;

	for (i = 0; i < SAMPLE; i++) {
		for (k = 0, last = 0; k < c->sample[i].n; k++) {
			b = block_of(layout, c->sample[i].key[k]);
			s->all_accesses++;
			if (b < P4A_MAX_BLOCKS)
				s->accesses[b + 1]++;
			last = b > last ? b : last;
		}
		if (!k)
			continue;
		s->all++;
		if (last < P4A_MAX_BLOCKS)
			s->whole[last + 1]++;
	}
	for (b = 1; b <= P4A_MAX_BLOCKS; b++) {
		s->accesses[b] += s->accesses[b - 1];
		s->whole[b] += s->whole[b - 1];
	}
}

unsigned int p4a_counts_together(const struct p4a_counts *c, const struct p4a_layout *layout)
{
	unsigned int blocks = p4a_layout_geometry(layout).blocks, k, b, best = 1;
	double share[P4A_MAX_BLOCKS + 1], power[P4A_MAX_BLOCKS + 1], least = 0;
	struct shares s = { 0 };

	measure(c, layout, &s);
	if (!s.all)
		return 1;
	for (b = 1; b <= blocks; b++) {
		share[b] = (double)s.accesses[b] / s.all_accesses;
		power[b] = 1;
	}
	for (k = 1; k <= TOGETHER_MAX; k++) {
		double error = 0;

		for (b = 1; b <= blocks; b++) {
			double off = (power[b] *= share[b]) - (double)s.whole[b] / s.all;

			error += off * off;
		}
		if (k == 1 || error < least - ERRORS_ARE_EQUAL) {
			least = error;
			best = k;
		}
	}
	return best;
}
