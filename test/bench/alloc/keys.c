// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keys.c - second-pass keys of 40 nodes made one list and dealt to 32 lock bits, against the best that
 * annealing finds; and what the bits do to transactions: how often one that looks at a bit meets one
 * that holds it for another key
 */
#include <arpa/inet.h>
#include <endian.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../tools/p4allocd/keys.h"
#include "../../../util/zipf.h"
#include "bench.h"
#include "p4alloc.h"

#define NODES	40
#define TXNS	2500		/* of a node */
#define FEW	125		/* of a node in a batch of 5,000 */
#define OPS	8		/* of a transaction, different keys */
#define RANKS	1000000
#define BLOCKS	2
#define KEYS	1200
#define BITS	P4W_LOCK_BITS
#define STEPS	3000000		/* of annealing */
#define PAIRS	400000

static const struct p4a_geometry geo = { .registers = 20, .blocks = BLOCKS };

struct txn {			/* ranks, from 1 on, and which of them are in the second pass */
	uint32_t rank[OPS];
	bool second[OPS];
};

struct list {
	struct p4w_lock_key *entry;
	size_t n;
};

static struct p4a_layout *make_layout(void)
{
	struct p4a_key_count *kc = bench_alloc(RANKS, sizeof(*kc));
	struct p4a_layout *l;

	for (uint32_t i = 0; i < RANKS; i++)
		kc[i] = (struct p4a_key_count) { i + 1, 1 + 1e9 * pow(i + 1, -0.99) };
	if (p4a_layout_from_counts(&l, &geo, kc, RANKS, NULL) < 0)
		exit(1);
	free(kc);
	return l;
}

static void draw(struct txn *t, const struct p4a_layout *l, const struct zipf *z, struct rng *r)
{
	struct p4a_op ops[OPS];
	struct p4a_plan plan;

	*t = (struct txn) { 0 };
	for (unsigned int n = 0; n < OPS; ) {
		bool again = false;

		t->rank[n] = zipf_draw(z, r);
		for (unsigned int i = 0; i < n; i++)
			again |= t->rank[i] == t->rank[n];
		n += !again;
	}
	for (unsigned int i = 0; i < OPS; i++)
		ops[i] = (struct p4a_op) { .key = t->rank[i], .operand = 1, .code = P4A_ADD };
	p4a_plan(l, BLOCKS, ops, OPS, &plan);
	for (unsigned int i = 0; i < OPS; i++)
		t->second[i] = plan.at[i] >= 0 && plan.instr[plan.at[i]].op & P4A_SECOND_PASS;
}

/* What a node sends: by ascending key. */
static struct list list_of(const struct txn *txns, size_t n)
{
	uint32_t *count = bench_alloc(RANKS + 1, sizeof(*count));
	struct list list = { bench_alloc(n * OPS, sizeof(*list.entry)), 0 };

	for (size_t i = 0; i < n; i++)
		for (unsigned int o = 0; o < OPS; o++)
			count[txns[i].rank[o]] += txns[i].second[o];
	for (uint32_t rank = 1; rank <= RANKS; rank++)
		if (count[rank])
			list.entry[list.n++] = (struct p4w_lock_key) {
				htobe64(rank), htonl(count[rank])
			};
	free(count);
	return list;
}

static double conflicts(const struct p4d_key *key, const uint8_t *bit, size_t n)
{
	double sum[BITS] = { 0 }, all = 0, mass = 0;

	for (size_t i = 0; i < n; i++) {
		sum[bit[i]] += key[i].count;
		all += key[i].count;
		mass -= (double)key[i].count * key[i].count;
	}
	for (unsigned int b = 0; b < BITS; b++)
		mass += sum[b] * sum[b];
	return mass / all / all;
}

/* Moves and swaps of keys, worse ones with a chance that falls to nothing. */
static double anneal(const struct p4d_key *key, size_t n, struct rng *r)
{
	double sum[BITS] = { 0 }, all = 0, best, now, heat;
	uint8_t *bit = bench_alloc(n, 1);

	for (size_t i = 0; i < n; i++) {
		bit[i] = rng_below(r, BITS);
		sum[bit[i]] += key[i].count;
		all += key[i].count;
	}
	best = now = conflicts(key, bit, n) * all * all;
	heat = now / n;
	for (unsigned int step = 0; step < STEPS; step++, heat *= pow(1e-7, 1.0 / STEPS)) {
		size_t i = rng_below(r, n), j = rng_below(r, n);
		unsigned int from = bit[i], to = step & 1 ? bit[j] : rng_below(r, BITS);
		double moved = (double)key[i].count - (step & 1 ? (double)key[j].count : 0), worse;

		if (from == to)
			continue;
		worse = 2 * moved * (moved + sum[to] - sum[from]);
		if (worse > 0 && exp(-worse / heat) * UINT32_MAX < (uint32_t)rng_next(r))
			continue;
		if (step & 1)
			bit[j] = from;
		bit[i] = to;
		sum[from] -= moved;
		sum[to] += moved;
		now += worse;
		best = now < best ? now : best;
	}
	now = conflicts(key, bit, n);
	free(bit);
	return best / all / all < now ? best / all / all : now;
}

static void against_annealed(const char *name, const struct p4d_key *key, size_t n, struct rng *r)
{
	uint8_t *bit = bench_alloc(n, 1);
	double dealt, annealed;
	char row[64];

	p4d_keys_deal(key, n, BITS, bit);
	dealt = conflicts(key, bit, n);
	annealed = anneal(key, n, r);
	snprintf(row, sizeof(row), "keys-%s-conflicts", name);
	bench_row(row, dealt, "of-pairs");
	snprintf(row, sizeof(row), "keys-%s-conflicts/annealed", name);
	bench_most(row, annealed > 0 ? dealt / annealed : 1 + dealt, "ratio", 1.05);
	free(bit);
}

/* Bits that a key has, by rank; -1: none. */
static void bits_of_layout(const struct p4a_layout *l, int16_t *of)
{
	struct p4a_cell cell;

	for (uint32_t rank = 1; rank <= RANKS; rank++)
		of[rank] = p4a_layout_lookup(l, rank, &cell) && cell.lock != P4A_NO_LOCK ?
			   cell.lock : -1;
}

/* A lock word of up to 256 bits. */
struct word {
	uint64_t part[4];
};

static void set_bit(struct word *w, int bit)
{
	if (bit >= 0)
		w->part[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool meet(const struct word *a, const struct word *b)
{
	return (a->part[0] & b->part[0]) | (a->part[1] & b->part[1]) |
	       (a->part[2] & b->part[2]) | (a->part[3] & b->part[3]);
}

/*
 * Share of pairs in which one looks at a bit that the other holds, and they have no key in common;
 * *true_ones: that have.
 */
static double false_conflicts(const struct txn *t, size_t n, const int16_t *of, struct rng *r,
			      double *true_ones)
{
	uint64_t met = 0, same = 0;

	for (unsigned int pair = 0; pair < PAIRS; pair++) {
		const struct txn *a = &t[rng_below(r, n)], *b = &t[rng_below(r, n)];
		struct word held = { 0 }, seen = { 0 };
		bool common = false;

		for (unsigned int i = 0; i < OPS; i++) {
			set_bit(&held, a->second[i] ? of[a->rank[i]] : -1);
			set_bit(&seen, of[b->rank[i]]);
			for (unsigned int j = 0; j < OPS; j++)
				common |= a->second[i] && a->rank[i] == b->rank[j];
		}
		met += meet(&held, &seen) && !common;
		same += common;
	}
	*true_ones = (double)same / PAIRS;
	return (double)met / PAIRS;
}

/* The same pairs, with a word of so many bits dealt to the keys. */
static double with_bits(const struct txn *t, const struct p4d_keys *keys, unsigned int bits,
			double *true_ones)
{
	int16_t *of = bench_alloc(RANKS + 1, sizeof(*of));
	uint8_t bit[P4D_KEYS_MERGED];
	struct rng r = { 3 };
	double met;

	memset(of, -1, (RANKS + 1) * sizeof(*of));
	p4d_keys_deal(keys->key, keys->n, bits, bit);
	for (size_t i = 0; i < keys->n; i++)
		of[keys->key[i].key] = bit[i];
	met = false_conflicts(t, NODES * FEW, of, &r, true_ones);
	free(of);
	return met;
}

/* What a short batch gains by the bits of its own keys over those that the layout gives to all. */
static void short_batch(const struct p4a_layout *l, const struct txn *txns)
{
	struct txn *t = bench_alloc(NODES * FEW, sizeof(*t));
	int16_t *of = bench_alloc(RANKS + 1, sizeof(*of));
	double before, after, true_ones;
	struct p4d_keys keys = { 0 };
	struct rng r = { 3 };
	struct list list;

	for (unsigned int i = 0; i < NODES; i++)
		memcpy(t + i * FEW, txns + i * TXNS, FEW * sizeof(*t));
	list = list_of(t, NODES * FEW);
	p4d_keys_add(&keys, list.entry, list.n);
	bench_row("keys-of-5000-transactions", keys.n, "keys");
	bits_of_layout(l, of);
	before = false_conflicts(t, NODES * FEW, of, &r, &true_ones);
	p4d_keys_heaviest(&keys, P4W_LOCK_KEYS_MAX);
	after = with_bits(t, &keys, BITS, &true_ones);
	bench_row("keys-true-conflicts", true_ones, "of-pairs");
	bench_row("keys-false-conflicts-layout", before, "of-pairs");
	bench_row("keys-false-conflicts-lock-info", after, "of-pairs");
	bench_row("keys-false-conflicts-64-bits", with_bits(t, &keys, 64, &true_ones), "of-pairs");
	bench_row("keys-false-conflicts-256-bits", with_bits(t, &keys, 256, &true_ones), "of-pairs");
	bench_most("keys-false-conflicts-lock-info/layout", after / before, "ratio", 1);
	free(list.entry);
	p4d_keys_free(&keys);
	free(of);
	free(t);
}

static void shapes(struct rng *r)
{
	static const struct { const char *name; size_t n; double skew; } shape[] = {
		{ "even-96", 96, 0.1 }, { "zipf-300", 300, 0.99 }, { "steep-4096", 4096, 1.3 },
	};
	struct p4d_key *key = bench_alloc(P4W_LOCK_KEYS_MAX, sizeof(*key));

	for (unsigned int s = 0; s < 3; s++) {
		for (size_t i = 0; i < shape[s].n; i++)
			key[i] = (struct p4d_key) { i, 1 + 1e6 * pow(i + 1, -shape[s].skew) };
		against_annealed(shape[s].name, key, shape[s].n, r);
	}
	free(key);
}

int main(void)
{
	struct txn *txns = bench_alloc(NODES * TXNS, sizeof(*txns));
	struct p4a_layout *l = make_layout();
	struct p4d_keys merged = { 0 };
	struct list list[NODES];
	uint8_t bit[P4D_KEYS_MERGED];
	struct rng r = { 1 };
	struct zipf z;
	uint64_t from;

	zipf_init(&z, RANKS, 0.99);
	for (size_t i = 0; i < NODES * TXNS; i++)
		draw(&txns[i], l, &z, &r);
	for (unsigned int i = 0; i < NODES; i++)
		list[i] = list_of(txns + i * TXNS, TXNS);
	from = bench_ns();
	for (unsigned int i = 0; i < NODES; i++)
		p4d_keys_add(&merged, list[i].entry, list[i].n);
	bench_most("keys-merge-40-lists", (bench_ns() - from) / 1e6, "ms", 5);
	bench_row("keys-of-a-node", list[0].n, "keys");
	bench_row("keys-of-all-nodes", merged.n, "keys");
	from = bench_ns();
	p4d_keys_heaviest(&merged, KEYS);
	p4d_keys_deal(merged.key, merged.n, BITS, bit);
	bench_most("keys-assign-1200", (bench_ns() - from) / 1e6, "ms", 1);
	against_annealed("1200", merged.key, merged.n, &r);
	shapes(&r);
	short_batch(l, txns);
	for (unsigned int i = 0; i < NODES; i++)
		free(list[i].entry);
	p4d_keys_free(&merged);
	p4a_layout_free(l);
	free(txns);
	return 0;
}
