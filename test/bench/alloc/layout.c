// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * layout.c - how long a layout of 10^6 keys takes to build, how long a key takes to be found, and
 * whether two nodes that count in another order come to the same cells
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../util/zipf.h"
#include "bench.h"
#include "p4alloc.h"

#define KEYS	1000000
#define DRAWS	(4 * KEYS)
#define GROUP	16		/* lookups between two looks at the clock */
#define GROUPS	20000

static const struct p4a_geometry geo = { .registers = 20, .blocks = 256, .dependent = 4 };

/* Every key once, and as often as it is drawn; key numbers without order. */
static struct p4a_key_count *count_keys(struct rng *r)
{
	struct p4a_key_count *kc = bench_alloc(KEYS, sizeof(*kc));
	struct zipf z;

	zipf_init(&z, KEYS, 0.99);
	for (uint32_t i = 0; i < KEYS; i++)
		kc[i] = (struct p4a_key_count) { .key = rng_next(r), .count = 1 };
	for (uint32_t i = 0; i < DRAWS; i++)
		kc[zipf_draw(&z, r) - 1].count++;
	for (uint32_t i = 0; i < KEYS; i++)
		kc[i].count |= i % 3 ? i % 3 == 1 ? P4A_KEY_SOURCE : 0 : P4A_KEY_DEPENDENT;
	return kc;
}

static void shuffle(struct p4a_key_count *kc, struct rng *r)
{
	for (uint32_t i = KEYS; i > 1; i--) {
		uint32_t j = rng_below(r, i);
		struct p4a_key_count swap = kc[i - 1];

		kc[i - 1] = kc[j];
		kc[j] = swap;
	}
}

static struct p4a_layout *build(const struct p4a_key_count *kc)
{
	struct p4a_layout *l;
	struct p4a_error err;

	if (p4a_layout_from_counts(&l, &geo, kc, KEYS, &err) >= 0)
		return l;
	fprintf(stderr, "bench: %s\n", err.text);
	exit(1);
}

/* Keys that one has elsewhere than the other, or does not have. */
static uint32_t differences(const struct p4a_layout *a, const struct p4a_layout *b,
			    const struct p4a_key_count *kc)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < KEYS; i++) {
		struct p4a_cell x = { 0 }, y = { 0 };
		int has = p4a_layout_lookup(a, kc[i].key, &x);

		n += has != p4a_layout_lookup(b, kc[i].key, &y) || memcmp(&x, &y, sizeof(x));
	}
	return n;
}

/* A lookup's p50 over groups, of keys drawn by `pick`; less what the loop costs without it. */
static double lookup_ns(const struct p4a_layout *l, const uint64_t *key)
{
	uint64_t *ns = bench_alloc(GROUPS, sizeof(*ns)), p50;
	struct p4a_cell cell;
	uint64_t found = 0;

	for (uint32_t g = 0; g < GROUPS; g++) {
		uint64_t from = bench_ns(), between = bench_ns();

		for (uint32_t i = 0; i < GROUP; i++)
			found += p4a_layout_lookup(l, key[g * GROUP + i], &cell);
		ns[g] = bench_ns() - between;
		ns[g] -= between - from < ns[g] ? between - from : ns[g];
	}
	p50 = bench_quantile(ns, GROUPS, 0.5);
	free(ns);
	if (found > (uint64_t)GROUPS * GROUP)	/* looked at, so that it is not left out */
		exit(1);
	return (double)p50 / GROUP;
}

static void lookups(const struct p4a_layout *l, const struct p4a_key_count *kc, struct rng *r)
{
	uint64_t *key = bench_alloc(GROUPS * GROUP, sizeof(*key));
	struct zipf z;

	zipf_init(&z, KEYS, 0.99);
	for (uint32_t i = 0; i < GROUPS * GROUP; i++)
		key[i] = kc[zipf_draw(&z, r) - 1].key;
	bench_most("layout-1m-lookup-p50", lookup_ns(l, key), "ns", 50);
	for (uint32_t i = 0; i < GROUPS * GROUP; i++)
		key[i] = kc[rng_below(r, KEYS)].key;
	bench_most("layout-1m-lookup-uniform-p50", lookup_ns(l, key), "ns", 50);
	for (uint32_t i = 0; i < GROUPS * GROUP; i++)
		key[i] = rng_next(r);
	bench_most("layout-1m-lookup-unknown-p50", lookup_ns(l, key), "ns", 50);
	free(key);
}

int main(void)
{
	struct rng r = { 1 };
	struct p4a_key_count *kc = count_keys(&r), *other = bench_alloc(KEYS, sizeof(*other));
	uint64_t from = bench_ns();
	struct p4a_layout *l = build(kc), *again;

	bench_most("layout-1m-build", (bench_ns() - from) / 1e9, "s", 1);
	lookups(l, kc, &r);
	memcpy(other, kc, KEYS * sizeof(*kc));
	shuffle(other, &r);
	again = build(other);
	bench_most("layout-1m-differences", differences(l, again, kc), "keys", 0);
	p4a_layout_free(l);
	p4a_layout_free(again);
	free(other);
	free(kc);
	return 0;
}
