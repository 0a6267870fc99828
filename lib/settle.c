// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * settle.c - see settle.h. Pure: works on memory alone.
 *
 * A search from the empty choice. While a touch finds what nobody has left, somebody else must have been
 * at a free serial between it and the touch before: each transaction that may have been is tried at
 * each such serial. So every choice that explains all and none of whose parts does is met, and only those
 * count. Serials between which nobody is known to have been are one slot.
 *
 * The search ends after TRIES choices, or FOUND that explain all; then it can't be told.
 */
#include <string.h>

#include "settle.h"

#define TRIES	20000
#define FOUND	64
#define BREAKS	64
#define RANGES	32
#define NOBODY	0xff

struct range {				/* of a key, between two touches */
	uint64_t key, low, high;
};

struct choice {
	uint8_t at[P4A_SETTLE_GAPS];	/* who is at that serial */
};

struct search {
	const struct p4a_settle *s;
	struct choice now;
	uint64_t placed;		/* bit t: transaction t has a serial */
	uint32_t tried[P4A_SETTLE_TXNS];	/* bit g: with t at serial g, all has been seen */
	struct range breaks[BREAKS];	/* without anybody */
	struct choice found[FOUND];
	unsigned int nr_breaks, nr_found, tries;
	bool too_much;
};

/* ------------------------------------------------------------------ known touches */

static bool is_behind(const struct p4a_touch *t, uint64_t key, uint64_t epoch, uint64_t serial)
{
	if (t->key != key)
		return t->key > key;
	if (t->epoch != epoch)
		return t->epoch > epoch;
	return t->serial > serial;
}

/* The first touch of the key behind that serial: where it is, or would be. */
static size_t behind(const struct p4a_touches *all, uint64_t key, uint64_t epoch, uint64_t serial)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (is_behind(&all->touch[mid], key, epoch, serial))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Touch i if it is there, of the key and of the epoch. */
static const struct p4a_touch *touch_of(const struct p4a_touches *all, size_t i, uint64_t key,
					uint64_t epoch)
{
	const struct p4a_touch *t = i < all->n ? &all->touch[i] : NULL;

	return t && t->key == key && t->epoch == epoch ? t : NULL;
}

const struct p4a_touch *p4a_touch_after(const struct p4a_touches *all, uint64_t key, uint64_t epoch,
					uint64_t serial)
{
	return touch_of(all, behind(all, key, epoch, serial), key, epoch);
}

const struct p4a_touch *p4a_touch_until(const struct p4a_touches *all, uint64_t key, uint64_t epoch,
					uint64_t serial)
{
	return touch_of(all, behind(all, key, epoch, serial) - 1, key, epoch);
}

static const struct p4a_touch *next_of(const struct p4a_settle *s, uint64_t key, uint64_t serial)
{
	return p4a_touch_after(&s->touches, key, s->epoch, serial);
}

static const struct p4a_touch *last_of(const struct p4a_settle *s, uint64_t key, uint64_t serial)
{
	return p4a_touch_until(&s->touches, key, s->epoch, serial);
}

static struct range range_before(const struct p4a_settle *s, uint64_t key, uint64_t serial)
{
	const struct p4a_touch *t = last_of(s, key, serial);

	return (struct range){ .key = key, .low = t ? t->serial : 0, .high = serial };
}

/* ------------------------------------------------------------------ those in doubt, at their places */

/* When instruction i runs, among those of its transaction. */
static unsigned int turn_of(const struct p4a_settle_txn *t, unsigned int i)
{
	return t->op[i].code & P4A_SECOND_PASS ? t->count + i : i;
}

static uint32_t left_by(const struct p4a_settle_txn *t, unsigned int i)
{
	return p4a_replay_left(t->op, i, t->count);
}

/* The last of its instructions on the key before that turn, or -1. */
static int last_before(const struct p4a_settle_txn *t, uint64_t key, unsigned int turn)
{
	int last = -1;
	unsigned int i;

	for (i = 0; i < t->count; i++)
		if (t->op[i].key == key && turn_of(t, i) < turn &&
		    (last < 0 || turn_of(t, i) > turn_of(t, last)))
			last = i;
	return last;
}

static int last_on(const struct p4a_settle_txn *t, uint64_t key)
{
	return last_before(t, key, 2 * t->count);
}

static const struct p4a_settle_txn *who_at(const struct search *q, unsigned int g)
{
	return q->now.at[g] == NOBODY ? NULL : &q->s->txns[q->now.at[g]];
}

/* What the key holds when serial g comes; somebody is known to have touched it before. */
static uint32_t value_at(const struct search *q, uint64_t key, unsigned int g)
{
	const struct p4a_touch *t = last_of(q->s, key, q->s->gaps[g]);

	while (g-- && q->s->gaps[g] > t->serial) {
		const struct p4a_settle_txn *who = who_at(q, g);
		int i = who ? last_on(who, key) : -1;

		if (i >= 0)
			return left_by(who, i);
	}
	return t->after;
}

static bool goes_below(const struct p4a_settle_txn *t, unsigned int i)
{
	return (t->op[i].code & P4A_CODE) == P4A_CADD && (int32_t)left_by(t, i) < 0;
}

static void execute_one(struct search *q, unsigned int g, unsigned int i)
{
	const struct p4a_settle_txn *t = who_at(q, g);
	int own = last_before(t, t->op[i].key, turn_of(t, i));

	t->op[i].before = own < 0 ? value_at(q, t->op[i].key, g) : left_by(t, own);
}

/* Its results at serial g: false if it would have aborted there. */
static bool execute(struct search *q, unsigned int g)
{
	const struct p4a_settle_txn *t = who_at(q, g);
	unsigned int turn, i;
	bool fits = true;

	for (turn = 0; turn < 2 * t->count; turn++)
		for (i = 0; i < t->count; i++)
			if (turn_of(t, i) == turn)
				execute_one(q, g, i);
	for (i = 0; i < t->count; i++)
		fits &= !goes_below(t, i);
	return fits;
}

/* ------------------------------------------------------------------ what is not explained yet */

struct ranges {				/* somebody more must have been in one of them */
	struct range r[RANGES];
	unsigned int n;
};

static void add_range(struct search *q, struct ranges *all, struct range r)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		if (all->r[i].key == r.key && all->r[i].low == r.low && all->r[i].high == r.high)
			return;
	if (all->n == RANGES)
		q->too_much = true;
	else
		all->r[all->n++] = r;
}

static bool is_in(const struct search *q, unsigned int g, const struct range *r)
{
	return q->s->gaps[g] > r->low && q->s->gaps[g] < r->high;
}

static bool somebody_in(const struct search *q, unsigned int from, const struct range *r)
{
	unsigned int g;

	for (g = from; g < q->s->nr_gaps && q->s->gaps[g] < r->high; g++)
		if (is_in(q, g, r) && who_at(q, g) && last_on(who_at(q, g), r->key) >= 0)
			return true;
	return false;
}

/* What the one at serial g has left is not what the next one has found. */
static bool breaks_after(const struct search *q, unsigned int g, struct range *r)
{
	const struct p4a_settle_txn *t = who_at(q, g);
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		uint64_t key = t->op[i].key;
		const struct p4a_touch *next = next_of(q->s, key, q->s->gaps[g]);

		if (!next || next->fill || last_on(t, key) != (int)i)
			continue;
		*r = range_before(q->s, key, q->s->gaps[g]);
		r->high = next->serial;
		if (!somebody_in(q, g + 1, r) && left_by(t, i) != next->before)
			return true;
	}
	return false;
}

static void add_sources(struct search *q, struct ranges *all, unsigned int g)
{
	const struct p4a_settle_txn *t = who_at(q, g);
	unsigned int i;

	for (i = 0; i < t->count; i++)
		if (t->op[i].code & P4A_SOURCE)
			add_range(q, all, range_before(q->s, t->op[i].key, q->s->gaps[g]));
}

static void add_condition(struct search *q, struct ranges *all, unsigned int g)
{
	const struct p4a_settle_txn *t = who_at(q, g);
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		if ((t->op[i].code & P4A_CODE) != P4A_CADD)
			continue;
		add_range(q, all, range_before(q->s, t->op[i].key, q->s->gaps[g]));
		if (t->op[i].code & P4A_DEPENDENT)
			add_sources(q, all, g);
	}
}

/* Those in a range may have left what they did because of others, elsewhere. */
static void add_causes(struct search *q, struct ranges *all)
{
	unsigned int n, g, i;

	for (n = 0; n < all->n; n++)
		for (g = 0; g < q->s->nr_gaps; g++) {
			const struct p4a_settle_txn *t = who_at(q, g);

			for (i = 0; t && is_in(q, g, &all->r[n]) && i < t->count; i++)
				if (t->op[i].key == all->r[n].key &&
				    t->op[i].code & P4A_DEPENDENT)
					add_sources(q, all, g);
		}
}

/* false: all is explained. */
static bool find_break(struct search *q, struct ranges *all)
{
	unsigned int g, i;

	all->n = 0;
	for (g = 0; g < q->s->nr_gaps && !all->n; g++)
		if (who_at(q, g) && !execute(q, g))
			add_condition(q, all, g);
	for (g = 0; g < q->s->nr_gaps && !all->n; g++)
		if (who_at(q, g) && breaks_after(q, g, &all->r[0]))
			all->n = 1;
	for (i = 0; i < q->nr_breaks && !all->n; i++)
		if (!somebody_in(q, 0, &q->breaks[i]))
			add_range(q, all, q->breaks[i]);
	add_causes(q, all);
	return all->n;
}

/* ------------------------------------------------------------------ the search */

static bool writes_in(const struct search *q, const struct p4a_settle_txn *t, unsigned int g,
		      const struct ranges *all)
{
	unsigned int i, n;

	for (n = 0; n < all->n; n++)
		for (i = 0; is_in(q, g, &all->r[n]) && i < t->count; i++)
			if (t->op[i].key == all->r[n].key &&
			    (t->op[i].code & P4A_CODE) != P4A_READ)
				return true;
	return false;
}

/* All that it touches was there, and its node had not seen what came later. */
static bool may_be(const struct search *q, const struct p4a_settle_txn *t, unsigned int g)
{
	unsigned int i;

	if (t->above >= q->s->gaps[g])
		return false;
	for (i = 0; i < t->count; i++)
		if (!last_of(q->s, t->op[i].key, q->s->gaps[g]))
			return false;
	return true;
}

static void explore(struct search *q);

static void try(struct search *q, unsigned int t, unsigned int g)
{
	q->now.at[g] = t;
	q->placed |= UINT64_C(1) << t;
	explore(q);
	q->now.at[g] = NOBODY;
	q->placed &= ~(UINT64_C(1) << t);
	q->tried[t] |= UINT32_C(1) << g;
}

static void try_all(struct search *q, const struct ranges *all)
{
	uint32_t tried[P4A_SETTLE_TXNS];
	unsigned int t, g;

	memcpy(tried, q->tried, sizeof(tried));
	for (t = 0; t < q->s->nr_txns; t++)
		for (g = 0; g < q->s->nr_gaps; g++)
			if (!(q->placed >> t & 1) && !(q->tried[t] >> g & 1) && !who_at(q, g) &&
			    writes_in(q, &q->s->txns[t], g, all) &&
			    may_be(q, &q->s->txns[t], g))
				try(q, t, g);
	memcpy(q->tried, tried, sizeof(tried));
}

static void explore(struct search *q)
{
	struct ranges all;

	if (q->too_much || ++q->tries > TRIES) {
		q->too_much = true;
		return;
	}
	if (find_break(q, &all))
		try_all(q, &all);
	else if (q->nr_found < FOUND)
		q->found[q->nr_found++] = q->now;
	else
		q->too_much = true;
}

/* ------------------------------------------------------------------ which to believe */

static bool has_all_of(const struct search *q, const struct choice *c, const struct choice *part)
{
	unsigned int g;

	for (g = 0; g < q->s->nr_gaps; g++)
		if (part->at[g] != NOBODY && part->at[g] != c->at[g])
			return false;
	return true;
}

/* What has been found with a part too many, is dropped. */
static void drop_larger(struct search *q)
{
	unsigned int i, k, kept = 0;
	bool larger[FOUND];

	for (i = 0; i < q->nr_found; i++) {
		larger[i] = false;
		for (k = 0; k < q->nr_found; k++)
			larger[i] |= k != i && has_all_of(q, &q->found[i], &q->found[k]);
	}
	for (i = 0; i < q->nr_found; i++)
		if (!larger[i])
			q->found[kept++] = q->found[i];
	q->nr_found = kept;
}

static int slot_of(const struct search *q, const struct choice *c, unsigned int t)
{
	unsigned int g;
	int slot = 0;

	for (g = 0; g < q->s->nr_gaps; g++) {
		slot += g && q->s->gaps[g] != q->s->gaps[g - 1] + 1;
		if (c->at[g] == t)
			return slot;
	}
	return -1;
}

/* The same transactions, none of them earlier. */
static bool is_not_before(const struct search *q, const struct choice *c, const struct choice *other)
{
	unsigned int t;

	for (t = 0; t < q->s->nr_txns; t++) {
		int slot = slot_of(q, c, t), than = slot_of(q, other, t);

		if (slot < than || (slot >= 0) != (than >= 0))
			return false;
	}
	return true;
}

static const struct choice *best(const struct search *q)
{
	unsigned int i, k;

	for (i = 0; i < q->nr_found; i++) {
		for (k = 0; k < q->nr_found; k++)
			if (!is_not_before(q, &q->found[i], &q->found[k]))
				break;
		if (k == q->nr_found)
			return &q->found[i];
	}
	return NULL;
}

/* ------------------------------------------------------------------ entry */

static bool is_known(const struct search *q, const struct range *r)
{
	unsigned int i;

	for (i = 0; i < q->nr_breaks; i++)
		if (q->breaks[i].key == r->key && q->breaks[i].high == r->high)
			return true;
	return false;
}

/* All touches of the key: false if none of them fills it, or they break too often. */
static bool look_at(struct search *q, uint64_t key)
{
	const struct p4a_touch *t, *last = NULL;
	size_t i = behind(&q->s->touches, key, q->s->epoch, 0);
	bool filled = false;

	for (; (t = touch_of(&q->s->touches, i, key, q->s->epoch)); last = t, i++) {
		struct range r = { .key = key, .low = last ? last->serial : 0, .high = t->serial };

		filled |= t->fill;
		if (!last || t->fill || t->before == last->after || is_known(q, &r))
			continue;
		if (q->nr_breaks == BREAKS)
			return false;
		q->breaks[q->nr_breaks++] = r;
	}
	return filled;
}

static bool look_at_all(struct search *q)
{
	unsigned int t, i;

	for (t = 0; t < q->s->nr_txns; t++)
		for (i = 0; i < q->s->txns[t].count; i++)
			if (!look_at(q, q->s->txns[t].op[i].key))
				return false;
	return true;
}

static void take(struct search *q, const struct choice *c)
{
	unsigned int g;

	q->now = *c;
	for (g = 0; g < q->s->nr_gaps; g++) {
		if (!who_at(q, g))
			continue;
		execute(q, g);
		q->s->txns[c->at[g]].serial = q->s->gaps[g];
	}
}

bool p4a_settle(struct p4a_settle *s)
{
	struct search q = { .s = s };
	const struct choice *c;
	unsigned int t;

	for (t = 0; t < s->nr_txns; t++)
		s->txns[t].serial = 0;
	if (!s->breaks)
		return true;
	if (s->nr_gaps > P4A_SETTLE_GAPS || s->nr_txns > P4A_SETTLE_TXNS)
		return false;
	/* A break of a key that none of them has touched is not their doing. */
	if (!look_at_all(&q) || q.nr_breaks != s->breaks)
		return false;
	memset(q.now.at, NOBODY, sizeof(q.now.at));
	explore(&q);
	drop_larger(&q);
	c = q.too_much ? NULL : best(&q);
	if (c)
		take(&q, c);
	return c;
}
