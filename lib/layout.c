// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * layout.c - which key belongs into which cell: declustered, weight-balanced, the same everywhere.
 *
 * Owns struct p4a_layout, which never changes after p4a_layout_build() has returned; so any thread
 * may look things up without a lock. Cells are kept in one open-addressing table by key (a lookup
 * costs one cache miss) and found by place through `at`. A layout made of another one, with lock bits
 * of its own, has the other's table, which goes with the last of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "layout.h"

struct p4a_layout {
	struct p4a_layout *base;	/* whose table and `at` these are: its own or another's */
	_Atomic unsigned int users;	/* of a base: layouts with its table, itself included */
	uint8_t *lock;			/* bit of table[i], instead of the one in it; NULL: none */
	struct p4a_geometry geo;
	uint64_t total;			/* of all counts, cold keys included */
	uint32_t held;			/* cells in table */
	uint32_t slots;			/* slots in use: highest one + 1 */
	unsigned int shift;		/* table has 2^(64 - shift) entries */
	struct p4a_cell *table;		/* count 0: empty */
	uint32_t *at;			/* [slot * registers + reg]: index into table + 1; 0: empty */
};

static uint64_t hash(uint64_t key)
{
	key ^= key >> 32;
	return key * UINT64_C(0x9e3779b97f4a7c15);
}

/* Smallest power of two that is at least twice n, as the shift that maps a hash to it. */
static unsigned int table_shift(size_t n)
{
	unsigned int bits = 3;

	while (((size_t)1 << bits) < 2 * n)
		bits++;
	return 64 - bits;
}

static size_t table_size(unsigned int shift)
{
	return (size_t)1 << (64 - shift);
}

/* The entry that holds key, or the empty one where it would go. There is always an empty one. */
static size_t find(const struct p4a_layout *l, uint64_t key)
{
	size_t mask = table_size(l->shift) - 1, i;

	for (i = hash(key) >> l->shift; l->table[i].count; i = (i + 1) & mask)
		if (l->table[i].key == key)
			break;
	return i;
}

static uint64_t count_of(const struct p4a_key_count *kc)
{
	return kc->count & ~(P4A_KEY_DEPENDENT | P4A_KEY_SOURCE);
}

static int check_counts(const struct p4a_key_count *kc, size_t n, uint64_t *total,
			struct p4a_error *err)
{
	size_t i;

	*total = 0;
	for (i = 0; i < n; i++) {
		uint64_t count = count_of(&kc[i]);

		if (!count || count > P4A_MAX_TOTAL)
			return p4a_fail(err, -EINVAL, "count %" PRIu64 " of key %" PRIu64
					" (entry %zu): must be 1 .. %" PRIu64, count,
					kc[i].key, i, P4A_MAX_TOTAL);
		*total += count;
		if (*total > P4A_MAX_TOTAL)
			return p4a_fail(err, -ERANGE, "sum of counts at entry %zu: must be 1 .. %"
					PRIu64, i, P4A_MAX_TOTAL);
	}
	return 0;
}

/* A set of all keys, cold ones too: a repeated key would otherwise get two cells, or one and a half
 * counts. Sorting does not bring equal keys together, their counts may differ.
 */
static int check_unique(const struct p4a_key_count *kc, size_t n, struct p4a_error *err,
			uint64_t *twice)
{
	unsigned int shift = table_shift(n);
	size_t mask = table_size(shift) - 1, i, j;
	uint32_t *set = calloc(mask + 1, sizeof(*set));	/* index + 1 */

	if (!set)
		return p4a_fail(err, -ENOMEM, "no memory for %zu keys", n);
	for (i = 0; i < n; i++) {
		for (j = hash(kc[i].key) >> shift; set[j]; j = (j + 1) & mask)
			if (kc[set[j] - 1].key == kc[i].key)
				break;
		if (set[j])
			break;
		set[j] = i + 1;
	}
	free(set);
	if (i == n)
		return 0;
	*twice = kc[i].key;
	return p4a_fail(err, -EEXIST, "key %" PRIu64 " (entry %zu) occurs twice", kc[i].key, i);
}

#define DIGITS 14	/* 8 bytes of key, 6 of count: flags do not take part */

/* Byte `digit` of (count, key) as one number, from the lowest on. */
static unsigned int byte_of(const struct p4a_key_count *kc, unsigned int digit)
{
	return (digit < 8 ? kc->key : kc->count) >> digit % 8 * 8 & 0xff;
}

/*
 * Stable pass of a radix sort, descending. Returns where the result is: `to`, or `from` if all have
 * the same byte there, as high bytes mostly do.
 */
static struct p4a_key_count *sort_by(struct p4a_key_count *from, struct p4a_key_count *to, size_t n,
				     unsigned int digit)
{
	size_t at[256] = { 0 }, i, sum = 0;
	unsigned int b = 256;

	for (i = 0; i < n; i++)
		at[byte_of(&from[i], digit)]++;
	if (at[byte_of(&from[0], digit)] == n)
		return from;
	while (b--) {
		size_t here = at[b];

		at[b] = sum;
		sum += here;
	}
	for (i = 0; i < n; i++)
		to[at[byte_of(&from[i], digit)]++] = from[i];
	return to;
}

/* By descending count, then descending key: unique, so the same on every node. */
static const struct p4a_key_count *sort(struct p4a_key_count *a, struct p4a_key_count *b, size_t n)
{
	unsigned int digit;

	for (digit = 0; n && digit < DIGITS; digit++)
		if (sort_by(a, b, n, digit) == b) {
			struct p4a_key_count *swap = a;

			a = b;
			b = swap;
		}
	return a;
}

struct loads {				/* of register arrays */
	uint64_t sum[P4A_MAX_REGISTERS];	/* of counts */
	uint32_t used[P4A_MAX_REGISTERS];	/* slots */
};

/* The lightest of first .. end-1 that has room, or end. */
static unsigned int lightest(const uint64_t *sum, const uint32_t *used, uint32_t room,
			     unsigned int first, unsigned int end)
{
	unsigned int i, best = end;

	for (i = first; i < end; i++)
		if ((!used || used[i] < room) && (best == end || sum[i] < sum[best]))
			best = i;
	return best;
}

/* Stages matter less than blocks: a key in a later block may not be in the switch at all. */
static unsigned int choose_register(const struct p4a_geometry *geo, const struct loads *ld,
				    uint64_t flags)
{
	uint32_t room = geo->blocks * P4A_BLOCK_SLOTS;
	unsigned int n = geo->registers, ordinary = n - geo->dependent;
	unsigned int any = lightest(ld->sum, ld->used, room, 0, n), own = any;
	unsigned int end = n;

	if (!geo->dependent || !flags)
		return any;
	if (flags & P4A_KEY_DEPENDENT)
		own = lightest(ld->sum, ld->used, room, ordinary, end);
	else
		own = lightest(ld->sum, ld->used, room, 0, end = ordinary);
	if (own == end || ld->used[own] / P4A_BLOCK_SLOTS > ld->used[any] / P4A_BLOCK_SLOTS)
		return any;
	return own;
}

/* Deals sorted keys to registers and lock bits. */
static void deal(struct p4a_layout *l, const struct p4a_key_count *sorted)
{
	uint64_t bit_sum[P4A_LOCK_BITS] = { 0 };
	struct loads ld = { 0 };
	uint32_t rank;

	for (rank = 0; rank < l->held; rank++) {
		unsigned int reg = choose_register(&l->geo, &ld,
						   sorted[rank].count & ~count_of(&sorted[rank]));
		unsigned int slot = ld.used[reg]++;
		size_t i = find(l, sorted[rank].key);
		struct p4a_cell *cell = &l->table[i];

		*cell = (struct p4a_cell) {
			.key = sorted[rank].key, .count = count_of(&sorted[rank]), .rank = rank,
			.slot = slot, .reg = reg, .lock = P4A_NO_LOCK,
		};
		if (slot) {
			cell->lock = lightest(bit_sum, NULL, 0, 0, P4A_LOCK_BITS);
			bit_sum[cell->lock] += cell->count;
		}
		ld.sum[reg] += cell->count;
		l->at[slot * l->geo.registers + reg] = i + 1;
		if (slot >= l->slots)
			l->slots = slot + 1;
	}
}

static struct p4a_layout *alloc_layout(const struct p4a_geometry *geo, size_t n)
{
	size_t room = (size_t)geo->registers * geo->blocks * P4A_BLOCK_SLOTS;
	struct p4a_layout *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->base = l;
	l->users = 1;
	l->geo = *geo;
	l->held = n < room ? n : room;
	l->shift = table_shift(l->held);
	l->table = calloc(table_size(l->shift), sizeof(*l->table));
	l->at = calloc(room, sizeof(*l->at));
	if (l->table && l->at)
		return l;
	p4a_layout_free(l);
	return NULL;
}

int p4a_layout_build(struct p4a_layout **out, const struct p4a_geometry *geo,
		     const struct p4a_key_count *kc, size_t n, struct p4a_error *err,
		     uint64_t *twice)
{
	struct p4a_key_count *sorted;
	struct p4a_layout *l;
	uint64_t total;
	int rc;

	if (!geo->registers || geo->registers > P4A_MAX_REGISTERS)
		return p4a_fail(err, -EINVAL, "registers %u: must be 1 .. %d", geo->registers,
				P4A_MAX_REGISTERS);
	if (!geo->blocks || geo->blocks > P4A_MAX_BLOCKS)
		return p4a_fail(err, -EINVAL, "blocks %u: must be 1 .. %d", geo->blocks,
				P4A_MAX_BLOCKS);
	if (geo->dependent >= geo->registers)
		return p4a_fail(err, -EINVAL, "dependent %u: must be 0 .. %u", geo->dependent,
				geo->registers - 1);
	if (n >= UINT32_MAX)
		return p4a_fail(err, -EINVAL, "number of keys %zu: must be below %u", n, UINT32_MAX);
	rc = check_counts(kc, n, &total, err);
	if (!rc)
		rc = check_unique(kc, n, err, twice);
	if (rc)
		return rc;

	sorted = malloc((n ? 2 * n : 1) * sizeof(*sorted));
	l = alloc_layout(geo, n);
	if (!sorted || !l) {
		free(sorted);
		p4a_layout_free(l);
		return p4a_fail(err, -ENOMEM, "no memory for %zu keys", n);
	}
	l->total = total;
	if (n)
		memcpy(sorted, kc, n * sizeof(*sorted));
	deal(l, sort(sorted, sorted + n, n));
	free(sorted);
	*out = l;
	return l->held;
}

int p4a_layout_from_counts(struct p4a_layout **out, const struct p4a_geometry *geo,
			   const struct p4a_key_count *kc, size_t n, struct p4a_error *err)
{
	uint64_t twice;

	return p4a_layout_build(out, geo, kc, n, err, &twice);
}

static void drop_table(struct p4a_layout *base)
{
	if (--base->users)
		return;
	free(base->table);
	free(base->at);
	free(base);
}

void p4a_layout_free(struct p4a_layout *layout)
{
	struct p4a_layout *base = layout ? layout->base : NULL;

	if (!layout)
		return;
	if (layout != base) {
		free(layout->lock);
		free(layout);
	}
	drop_table(base);
}

int p4a_layout_relock(struct p4a_layout **out, const struct p4a_layout *from,
		      const struct p4a_lock_bit *bits, size_t n)
{
	size_t size = table_size(from->shift), i, at;
	struct p4a_layout *l = malloc(sizeof(*l));
	uint8_t *lock = malloc(size);

	if (!l || !lock) {
		free(l);
		free(lock);
		return -ENOMEM;
	}
	*l = (struct p4a_layout) {
		.base = from->base, .lock = lock, .geo = from->geo, .total = from->total,
		.held = from->held, .slots = from->slots, .shift = from->shift,
		.table = from->table, .at = from->at,
	};
	l->base->users++;
	memset(lock, P4A_NO_LOCK, size);
	for (i = 0; i < n; i++) {
		at = find(l, bits[i].key);
		if (l->table[at].count && l->table[at].slot)
			lock[at] = bits[i].bit;
	}
	*out = l;
	return 0;
}

static void read_cell(const struct p4a_layout *l, size_t i, struct p4a_cell *cell)
{
	*cell = l->table[i];
	if (l->lock)
		cell->lock = l->lock[i];
}

int p4a_layout_lookup(const struct p4a_layout *layout, uint64_t key, struct p4a_cell *cell)
{
	size_t i = find(layout, key);

	if (!layout->table[i].count)
		return 0;
	read_cell(layout, i, cell);
	return 1;
}

int p4a_layout_at(const struct p4a_layout *layout, unsigned int reg, unsigned int slot,
		  struct p4a_cell *cell)
{
	uint32_t i;

	if (reg >= layout->geo.registers || slot >= layout->slots)
		return 0;
	i = layout->at[slot * layout->geo.registers + reg];
	if (!i)
		return 0;
	read_cell(layout, i - 1, cell);
	return 1;
}

int p4a_layout_next(const struct p4a_layout *layout, unsigned int first, unsigned int end,
		    uint32_t *pos, struct p4a_cell *cell)
{
	uint32_t row = layout->geo.registers * P4A_BLOCK_SLOTS;
	uint64_t last = (uint64_t)end * row, i = *pos;

	if (last > (uint64_t)layout->slots * layout->geo.registers)
		last = (uint64_t)layout->slots * layout->geo.registers;
	if (i < (uint64_t)first * row)
		i = (uint64_t)first * row;
	for (; i < last; i++) {
		if (!layout->at[i])
			continue;
		read_cell(layout, layout->at[i] - 1, cell);
		*pos = i + 1;
		return 1;
	}
	return 0;
}

int p4a_layout_histogram(const struct p4a_layout *layout, uint16_t *hist)
{
	uint64_t mass[P4A_MAX_BLOCKS] = { 0 };
	struct p4a_cell cell;
	unsigned int v;
	uint32_t pos = 0;

	while (p4a_layout_next(layout, 0, layout->geo.blocks, &pos, &cell))
		mass[cell.slot / P4A_BLOCK_SLOTS] += cell.count;
	for (v = 0; v < layout->geo.blocks; v++) {
		uint64_t share = layout->total ? (mass[v] << 16) / layout->total : 0;

		hist[v] = share < UINT16_MAX ? share : UINT16_MAX;
	}
	return (layout->slots + P4A_BLOCK_SLOTS - 1) / P4A_BLOCK_SLOTS;
}

struct p4a_geometry p4a_layout_geometry(const struct p4a_layout *layout)
{
	return layout->geo;
}
