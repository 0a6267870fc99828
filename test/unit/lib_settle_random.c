// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_settle_random.c - a switch that is killed at random, with replies on their way: what is settled, against
 * all choices that there are, and against what really happened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib_books.h"
#include "rnd.h"

/*
 * A model of its own: all that took effect in the switch, by serial. `known`: its log says so. The others
 * are those in doubt that were done; those that were not follow with serial 0.
 */
#define EVENTS	160
#define DOUBTS	4
#define FREE	5

struct event {
	bool known, fill;
	unsigned int n;
	uint64_t serial, above;
	struct p4a_op op[3];
	uint32_t before[3];
	bool committed;			/* a transaction, not a fill or drain */
	unsigned int node, sent, heard;	/* steps; of an abort too */
};

struct flight {				/* a transaction without its reply yet */
	struct sent s;
	uint64_t above, serial;		/* 0: not done yet */
	unsigned int sent;
	bool busy;
};

static struct event event[EVENTS];	/* known ones, by serial */
static struct event doubt[DOUBTS];
static struct event aborted[EVENTS];
static uint64_t place[FREE];		/* serials of nobody */
static uint64_t truth[DOUBTS], heard[NODES], last_txn;
static unsigned int nr_events, nr_doubts, nr_places, nr_aborted, steps;

static struct p4a_op any_op(void)
{
	static const uint32_t codes[] = {
		P4A_READ, P4A_WRITE, P4A_ADD, P4A_ADD, P4A_ADD, P4A_CADD, P4A_REFILL,
		P4A_CHARGE, P4A_READ | P4A_SOURCE, P4A_ADD | P4A_DEPENDENT,
		P4A_ADD | P4A_SECOND_PASS, P4A_WRITE | P4A_DEPENDENT | P4A_SECOND_PASS,
	};
	uint32_t code = codes[rnd(12)];

	return (struct p4a_op) { rnd(4), code == P4A_CADD ? -rnd(40) : 1 + rnd(20), code };
}

/* What it does to the cells: false and nothing if it aborts. */
static bool run(uint32_t *cells, const struct event *e, uint32_t *before)
{
	uint32_t now[KEYS], sum = 0;
	unsigned int pass, i;

	memcpy(now, cells, sizeof(now));
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < e->n; i++) {
			uint32_t *c = &now[e->op[i].key], code = e->op[i].code;

			if (code / P4A_SECOND_PASS != pass)
				continue;
			before[i] = *c;
			*c = p4a_apply(code, e->op[i].operand, *c, sum);
			if ((code & P4A_CODE) == P4A_CADD && (int32_t)*c < 0)
				return false;
			sum += code & P4A_SOURCE ? before[i] : 0;
		}
	memcpy(cells, now, sizeof(now));
	return true;
}

/* Aborts that have been possible with these cells, which are those after `at`, until the next serial. */
static void tick_aborts(const uint32_t *cells, uint64_t at, bool *possible)
{
	uint32_t now[KEYS], found[3];
	unsigned int a, e;

	for (a = 0; a < nr_aborted; a++) {
		bool in_time = true;

		for (e = 0; e < nr_events; e++)
			if (event[e].committed && event[e].node == aborted[a].node)
				in_time &= !(event[e].heard < aborted[a].sent && event[e].serial > at) &&
					   !(event[e].sent > aborted[a].heard && event[e].serial <= at);
		memcpy(now, cells, sizeof(now));
		possible[a] |= in_time && !run(now, &aborted[a], found);
	}
}

/*
 * at[d]: index into place[], or -1. True: all found what they have logged. possible[]: likewise aborts, but
 * these do not count here.
 */
static bool history_holds(const int *at, uint32_t *cells, uint32_t before[DOUBTS][3], bool *possible)
{
	unsigned int e = 0, p, d;
	uint32_t found[3];

	memset(cells, 0, KEYS * sizeof(*cells));
	for (p = 0; p <= nr_places; p++) {
		for (; e < nr_events && (p == nr_places || event[e].serial < place[p]); e++) {
			if (event[e].fill)
				cells[event[e].op[0].key] = event[e].op[0].operand;
			else if (!run(cells, &event[e], found) ||
				 memcmp(found, event[e].before, event[e].n * sizeof(found[0])))
				return false;
			if (possible && e >= KEYS - 1)
				tick_aborts(cells, event[e].serial, possible);
		}
		for (d = 0; d < nr_doubts; d++) {
			if (at[d] != (int)p || p == nr_places)
				continue;
			if (place[p] <= doubt[d].above || !run(cells, &doubt[d], before[d]))
				return false;
			if (possible)
				tick_aborts(cells, place[p], possible);
		}
	}
	return true;
}

static unsigned int slot(int p)
{
	unsigned int n = 1;
	int i;

	for (i = 1; i <= p; i++)
		n += place[i] != place[i - 1] + 1;
	return p < 0 ? 0 : n;
}

static int holding[4096][DOUBTS];	/* all choices that explain everything */
static unsigned int nr_holding;

static void all_choices(unsigned int d, int *at)
{
	uint32_t cells[KEYS], before[DOUBTS][3];
	unsigned int i;
	int p;

	if (d == nr_doubts) {
		if (history_holds(at, cells, before, NULL))
			memcpy(holding[nr_holding++], at, sizeof(holding[0]));
		assert_true(nr_holding < 4096);
		return;
	}
	for (p = -1; p < (int)nr_places; p++) {
		for (i = 0; i < d && (p < 0 || at[i] != p); i++)
			;
		at[d] = p;
		if (i == d)
			all_choices(d + 1, at);
	}
}

static bool is_part(const int *part, const int *of)
{
	unsigned int d, n = 0;

	for (d = 0; d < nr_doubts; d++) {
		if (part[d] >= 0 && part[d] != of[d])
			return false;
		n += part[d] != of[d];
	}
	return n;
}

static bool is_smallest(unsigned int i)
{
	unsigned int k;

	for (k = 0; k < nr_holding; k++)
		if (is_part(holding[k], holding[i]))
			return false;
	return true;
}

/* The one to believe: the same transactions as in all other smallest ones, none in an earlier slot. */
static const int *to_believe(void)
{
	unsigned int i, k, d;
	bool good;

	for (i = 0; i < nr_holding; i++) {
		good = is_smallest(i);
		for (k = 0; k < nr_holding && good; k++)
			for (d = 0; d < nr_doubts && is_smallest(k); d++)
				good &= (holding[i][d] < 0) == (holding[k][d] < 0) &&
					slot(holding[i][d]) >= slot(holding[k][d]);
		if (good)
			return holding[i];
	}
	return NULL;
}

static unsigned int count_impossible(const int *at)
{
	uint32_t cells[KEYS], before[DOUBTS][3];
	bool possible[EVENTS] = { false };
	unsigned int a, n = 0;

	assert_true(history_holds(at, cells, before, possible));
	for (a = 0; a < nr_aborted; a++)
		n += !possible[a];
	return n;
}

static void note(const struct sent *s, uint64_t at, bool committed)
{
	struct event *e = &event[nr_events++];

	assert_true(nr_events < EVENTS);
	*e = (struct event) { .known = true, .n = s->n, .serial = at, .committed = committed };
	memcpy(e->op, s->op, sizeof(e->op));
	memcpy(e->before, s->before, sizeof(e->before));
	if (committed && at > last_txn)
		last_txn = at;
}

static void note_cells(bool fill)
{
	unsigned int key;

	for (key = 0; key < KEYS; key++) {
		struct sent s = { .n = 1, .op[0] = { key, cell[key], P4A_READ },
				  .before[0] = cell[key] };

		note(&s, serial - KEYS + key, false);
		event[nr_events - 1].fill = fill;
	}
}

static int by_serial(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static void doubt_it(const struct flight *f)
{
	struct event *e = &doubt[nr_doubts];

	*e = (struct event) { .n = f->s.n, .above = f->above };
	memcpy(e->op, f->s.op, sizeof(e->op));
	truth[nr_doubts++] = f->serial;
	if (rnd(2))
		conclude(&f->s, P4A_TXN_UNKNOWN, 0);
}

/* One step of the rack: somebody sends, the switch takes somebody's packet, or somebody gets a reply. */
static void step(struct flight *f, unsigned int node)
{
	struct event e = { .n = f->s.n, .node = node, .sent = f->sent, .heard = ++steps };
	uint32_t cells[KEYS], before[3];

	if (!f->busy) {
		struct p4a_op op[3] = { any_op(), any_op(), any_op() };

		*f = (struct flight) { .busy = true, .above = heard[node], .sent = steps };
		f->s = intend(node, op, 1 + rnd(3), 0);
	} else if (!f->serial) {
		memcpy(e.op, f->s.op, sizeof(e.op));
		memcpy(cells, cell, sizeof(cells));
		if (!run(cells, &e, before)) {
			conclude(&f->s, P4A_TXN_ABORT, 0);
			aborted[nr_aborted++] = e;
			f->busy = false;
			return;
		}
		execute(&f->s);
		f->serial = serial++;
	} else {
		conclude(&f->s, P4A_TXN_OK, f->serial);
		note(&f->s, f->serial, true);
		event[nr_events - 1].node = node;
		event[nr_events - 1].sent = e.sent;
		event[nr_events - 1].heard = e.heard;
		heard[node] = f->serial > heard[node] ? f->serial : heard[node];
		f->busy = false;
	}
}

static void play(unsigned int seed)
{
	struct flight flight[DOUBTS] = { 0 };
	unsigned int i, e;
	uint64_t s;

	rnd_seed(seed);
	nr_events = nr_doubts = nr_places = nr_aborted = last_txn = steps = 0;
	memset(heard, 0, sizeof(heard));
	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, rnd(30));
	note_cells(true);
	for (i = 10 + rnd(60); i; i--) {
		unsigned int who = rnd(DOUBTS);

		step(&flight[who], who % NODES);
	}
	for (i = 0; i < DOUBTS; i++)
		if (flight[i].busy)
			doubt_it(&flight[i]);
	end_all(1);
	if (!rnd(4)) {			/* no kill; replies were lost on their way */
		move_cells(P4A_LOG_DRAIN, 0);
		note_cells(false);
	}
	qsort(event, nr_events, sizeof(event[0]), by_serial);
	for (e = 0, s = epoch << SERIAL; e < nr_events; s = event[e++].serial + 1)
		for (; s < event[e].serial; s++)
			place[nr_places++] = s;
}

static int place_of(uint64_t at)
{
	unsigned int p;

	for (p = 0; p < nr_places; p++)
		if (place[p] == at)
			return p;
	return -1;
}

/* What is told is one of the possible histories, with what it finds, and nobody was told of who was not. */
static unsigned int check_told(const struct p4a_replay *r, const int *want, uint64_t *top)
{
	uint32_t cells[KEYS], before[DOUBTS][3];
	unsigned int d, i, done = 0, open = 0;
	int at[DOUBTS] = { -1, -1, -1, -1 };
	struct p4a_logged t, told[DOUBTS];
	uint32_t pos = 0;

	while (p4a_replay_txn(r, &pos, &t)) {
		if (t.status != P4A_TXN_OK) {
			open++;
			continue;
		}
		d = place_of(t.serial) < 0 ? DOUBTS : 0;
		while (d < nr_doubts && (at[d] >= 0 || t.count != doubt[d].n ||
					 t.op[0].key != doubt[d].op[0].key ||
					 t.op[0].operand != doubt[d].op[0].operand ||
					 slot(want[d]) != slot(place_of(t.serial))))
			d++;
		assert_true(t.err ? d < nr_doubts : d == DOUBTS);
		if (!t.err)
			continue;
		at[d] = place_of(t.serial);
		*top = t.serial > *top ? t.serial : *top;
		told[d] = t;
		done++;
	}
	assert_int_equal(done + open, nr_doubts);
	assert_true(history_holds(at, cells, before, NULL));
	for (d = 0; d < nr_doubts; d++) {
		assert_int_equal(slot(at[d]), slot(want[d]));
		if (at[d] < 0)
			continue;
		assert_true(truth[d]);
		assert_true(slot(place_of(truth[d])) <= slot(at[d]));
		for (i = 0; i < doubt[d].n; i++)
			assert_int_equal(told[d].op[i].result, before[d][i]);
	}
	for (i = 0; i < KEYS; i++)
		assert_int_equal(value_of(r, i).value, cells[i]);
	return done;
}

static void random__against_all_choices(void **state)
{
	unsigned int seed, settled = 0, left = 0, refused = 0, impossible = 0;

	for (seed = 0; seed < 6000; seed++) {
		int none[DOUBTS] = { -1, -1, -1, -1 };
		unsigned int below = 0, i, done;
		struct p4a_replay_info info;
		struct p4a_replay *r;
		const int *want;

		play(seed);
		nr_holding = 0;
		all_choices(0, none);
		want = to_believe();
		r = replay(&info);
		if (!want) {
			assert_int_equal(info.settled, 0);
			assert_int_equal(info.unseen, 0);
			assert_true(info.breaks);
			refused++;
			p4a_replay_free(r);
			continue;
		}
		assert_int_equal(info.breaks, count_impossible(want));
		impossible += info.breaks > 0;
		info.breaks = 0;
		all_well(&info);
		done = check_told(r, want, &last_txn);
		assert_int_equal(info.settled, done);
		for (i = 0; i < nr_places; i++)
			below += place[i] <= last_txn;
		below -= done;
		assert_int_equal(info.unseen, below);
		settled += done > 0;
		left += below > 0;
		p4a_replay_free(r);
	}
	print_message("%u of %u with transactions settled, %u with unseen ones, %u not told, %u "
		      "with an abort for no reason\n", settled, seed, left, refused, impossible);
	assert_true(settled > 500 && left > 500 && refused < settled / 4);
	assert_true(impossible && impossible < settled / 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random__against_all_choices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
