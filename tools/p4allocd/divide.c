// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * divide.c - see divide.h.
 *
 * Two steps. settle_price() takes edges of the envelopes, steepest first, until one does not fit;
 * its slope is the price. search() is a dynamic program over the tenants whose other numbers lose
 * little against that price: a state is the capacity in use, its cost the loss so far.
 */
#include <stdlib.h>
#include <string.h>

#include "divide.h"

#define NODES 16384		/* decisions that are remembered for the way back */
/* of capacity in use: twice what there is (then nothing can repair it), and an option more */
#define AMOUNTS (3 * P4D_CAPACITY_MAX + 1)
#define NO_NODE UINT32_MAX
#define NO_LOSS UINT64_MAX

struct edge {			/* the next one of a bidder */
	uint64_t slope;		/* worth of a unit of capacity, rounded down */
	uint32_t who;
};

struct option {			/* a number of blocks for a bidder */
	uint64_t loss;
	uint32_t give;
	int32_t more;		/* capacity in use than where the price leaves it */
};

struct rival {			/* a bidder with another number that could be better */
	uint64_t least_loss;
	uint32_t who;
};

struct node {			/* a decision, and the one before it */
	uint32_t before;
	uint32_t who;
	uint32_t give;
};

struct state {			/* of the bidders that were decided, the others as the price says */
	uint64_t loss;
	uint32_t used;
	uint32_t node;
};

struct step {			/* the best way to an amount in use */
	uint64_t loss;
	uint32_t state, option;
};

struct p4d_divider {
	size_t room;		/* of bidders, in the four arrays that follow */
	struct edge *heap;
	uint16_t *at;		/* corner that each bidder has reached */
	uint16_t *filled;	/* the same, of the first division that is complete */
	struct rival *rival;

	struct state *state, *state_next;	/* ascending by capacity in use */
	struct step step[AMOUNTS];
	uint64_t reached[AMOUNTS / 64 + 1];	/* steps that are not empty, by bit */
	struct state room_of_states[2][AMOUNTS];
	struct node node[NODES];
	struct option option[P4W_MAX_BLOCKS + 1];
	/* of the division under way */
	struct p4d_bidder *bidder;
	size_t n;
	uint32_t capacity;
	uint32_t used;
	uint64_t price;
	uint64_t gap;		/* between the bound and the best division known */
	uint64_t rest;		/* losses of the undecided, where the price leaves them */
	size_t states;
	uint32_t nodes;
	uint32_t best;		/* node of that division; NO_NODE: where the price leaves all */
	uint32_t work;
};

/* ---------------------------------------------------------------------------------- price */

static uint64_t worth(const struct p4d_bidder *b, unsigned int blocks)
{
	return (uint64_t)b->factor * b->curve->value[blocks];
}

static bool has_edge(const struct p4d_divider *d, uint32_t who, const uint16_t *at)
{
	return at[who] + 1 < d->bidder[who].curve->corners;
}

static struct edge next_edge(const struct p4d_divider *d, uint32_t who, const uint16_t *at)
{
	const struct p4d_bidder *b = &d->bidder[who];
	const uint16_t *c = &b->curve->corner[at[who]];

	return (struct edge){ (worth(b, c[1]) - worth(b, c[0])) / (b->cost * (c[1] - c[0])), who };
}

static uint32_t edge_cost(const struct p4d_divider *d, uint32_t who, const uint16_t *at)
{
	const struct p4d_bidder *b = &d->bidder[who];
	const uint16_t *c = &b->curve->corner[at[who]];

	return b->cost * (c[1] - c[0]);
}

/* Steeper; of equal ones the earlier bidder's, so that the same input has the same result. */
static bool is_first(const struct edge *a, const struct edge *b)
{
	return a->slope != b->slope ? a->slope > b->slope : a->who < b->who;
}

static void sink(struct edge *heap, size_t n, size_t i)
{
	struct edge e = heap[i];

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		child += child + 1 < n && is_first(&heap[child + 1], &heap[child]);
		if (!is_first(&heap[child], &e))
			break;
		heap[i] = heap[child];
	}
	heap[i] = e;
}

/* The first edge of the heap is taken or given up: the next one of its bidder, or the last one. */
static size_t replace_first(struct p4d_divider *d, size_t n, bool taken, uint16_t *at)
{
	uint32_t who = d->heap[0].who;

	at[who] += taken;
	if (taken && has_edge(d, who, at))
		d->heap[0] = next_edge(d, who, at);
	else
		d->heap[0] = d->heap[--n];
	sink(d->heap, n, 0);
	return n;
}

/* Price is 0 if everybody can have what is of use. Returns edges that are left. */
static size_t settle_price(struct p4d_divider *d)
{
	size_t n = 0;

	for (uint32_t who = 0; who < d->n; who++)
		if (has_edge(d, who, d->at))
			d->heap[n++] = next_edge(d, who, d->at);
	for (size_t i = n / 2; i-- > 0;)
		sink(d->heap, n, i);
	while (n && d->heap[0].slope) {
		uint32_t cost = edge_cost(d, d->heap[0].who, d->at);

		if (cost > d->capacity - d->used) {
			d->price = d->heap[0].slope;
			return n;
		}
		d->used += cost;
		n = replace_first(d, n, true, d->at);
	}
	d->price = 0;
	return n;
}

/* --------------------------------------------------------------------------------- losses */

/* What is left of the worth when the blocks beyond `least` are paid; may be below 0. */
static int64_t surplus(const struct p4d_divider *d, const struct p4d_bidder *b,
		       unsigned int blocks)
{
	return worth(b, blocks) - d->price * b->cost * (blocks - b->curve->least);
}

/* The greatest one lies at a corner, next to where the price has come. */
static int64_t best_surplus(const struct p4d_divider *d, uint32_t who)
{
	const struct p4d_bidder *b = &d->bidder[who];
	const struct p4d_curve *c = b->curve;
	unsigned int at = d->at[who];
	int64_t best = surplus(d, b, c->corner[at]), next;

	while (++at < c->corners && (next = surplus(d, b, c->corner[at])) >= best)
		best = next;
	return best;
}

static uint64_t loss_of(const struct p4d_divider *d, uint32_t who, unsigned int blocks,
			int64_t best)
{
	return best - surplus(d, &d->bidder[who], blocks);
}

/* Of first .. last blocks, those that lose less than the gap. The innermost loop of all this. */
static size_t scan(struct p4d_divider *d, size_t n, uint32_t who, unsigned int first,
		   unsigned int last, int64_t best)
{
	const struct p4d_bidder *b = &d->bidder[who];
	uint64_t factor = b->factor, step = d->price * b->cost;
	/* surplus + gap > best, with what is paid on the right */
	int64_t need = best - (int64_t)d->gap + (int64_t)(step * (first - b->curve->least));

	for (unsigned int i = first; i <= last; i++, need += step) {
		int64_t worth_of_it = factor * b->curve->value[i];

		if (worth_of_it > need)
			d->option[n++] = (struct option){ need + d->gap - worth_of_it, i, 0 };
	}
	d->work += 5 + (first < last ? last - first : 0);
	return n;
}

static bool is_close(const struct p4d_divider *d, uint32_t who, unsigned int corner, int64_t best)
{
	return loss_of(d, who, d->bidder[who].curve->corner[corner], best) < d->gap;
}

static unsigned int max_of(unsigned int a, unsigned int b)
{
	return a > b ? a : b;
}

/*
 * Numbers other than the present one that lose less than the gap. Along the envelope losses only
 * grow with the distance: a corner that loses too much ends the search on its side.
 */
static size_t find_options(struct p4d_divider *d, uint32_t who, int64_t best)
{
	const struct p4d_curve *c = d->bidder[who].curve;
	unsigned int at = d->at[who], low = at, high = at;
	size_t n = 0;

	while (low > 0 && (low == at || is_close(d, who, low, best)))
		low--;
	while (high + 1 < c->corners && (high == at || is_close(d, who, high, best)))
		high++;
	if (low < at) {
		n = scan(d, n, who, c->corner[low], c->corner[low], best);
		n = scan(d, n, who, max_of(c->corner[low] + 1, c->min), c->corner[at] - 1, best);
	}
	if (high > at)
		n = scan(d, n, who, max_of(c->corner[at] + 1, c->min), c->corner[high], best);
	return n;
}

/* --------------------------------------------------------------------------------- search */

static uint32_t decide(struct p4d_divider *d, uint32_t before, uint32_t who, uint32_t give)
{
	d->node[d->nodes] = (struct node){ before, who, give };
	return d->nodes++;
}

/* The rest of the capacity to the steepest of the further edges that fit: a gap to begin with. */
static void fill(struct p4d_divider *d, size_t edges)
{
	uint32_t left = d->capacity - d->used, taken = 0;

	memcpy(d->filled, d->at, d->n * sizeof(*d->at));
	while (edges && left && d->heap[0].slope) {
		uint32_t who = d->heap[0].who;
		uint32_t cost = edge_cost(d, who, d->filled);
		bool fits = cost <= left && taken < NODES / 2;

		if (fits) {
			const uint16_t *c = &d->bidder[who].curve->corner[d->filled[who]];

			d->gap -= worth(&d->bidder[who], c[1]) - worth(&d->bidder[who], c[0]);
			left -= cost;
			taken++;
		}
		edges = replace_first(d, edges, fits, d->filled);
	}
	for (uint32_t who = 0; who < d->n; who++)
		if (d->filled[who] != d->at[who])
			d->best = decide(d, d->best, who,
					 d->bidder[who].curve->corner[d->filled[who]]);
}

static void consider(struct p4d_divider *d, const struct state *s)
{
	uint64_t total;

	if (s->used > d->capacity)
		return;
	total = s->loss + d->rest + d->price * (d->capacity - s->used);
	if (total < d->gap) {
		d->gap = total;
		d->best = s->node;
	}
}

/* Each state with each option: the best way to each amount in use. */
static void spread(struct p4d_divider *d, uint32_t who, size_t options)
{
	const struct p4d_bidder *b = &d->bidder[who];

	for (uint32_t o = 0; o < options; o++)
		d->option[o].more = (int32_t)b->cost * ((int32_t)d->option[o].give -
							(int32_t)b->give);
	for (uint32_t i = 0; i < d->states; i++) {
		const struct state *s = &d->state[i];
		struct step *steps = &d->step[s->used];
		uint64_t room = d->gap - s->loss;

		for (uint32_t o = 0; o < options; o++) {
			uint64_t loss = d->option[o].loss;
			struct step *step = steps + d->option[o].more;

			if (loss >= room || s->loss + loss >= step->loss)
				continue;
			*step = (struct step){ s->loss + loss, i, o };
			d->reached[(step - d->step) / 64] |= 1ull << (step - d->step) % 64;
		}
	}
	d->work += d->states * (options + 4);
}

/* A state of the next generation. True: something better could come of it. */
static bool move_on(struct p4d_divider *d, uint32_t who, uint32_t used, const struct step *step,
		    uint64_t further, struct state *to)
{
	uint32_t give = d->option[step->option].give;

	*to = (struct state){ step->loss, used, d->state[step->state].node };
	if (give != d->bidder[who].give)
		to->node = decide(d, to->node, who, give);
	consider(d, to);
	return step->loss + further < d->gap;
}

/*
 * The next generation. Left out are states that use no less than another one and are worth less,
 * and those that can lead to nothing better: a further change loses at least `further`. False: no
 * room for more decisions.
 */
static bool gather(struct p4d_divider *d, uint32_t who, uint64_t further)
{
	uint32_t words = 2 * d->capacity / 64 + 1 + P4D_CAPACITY_MAX / 64;
	struct state *next = d->state_next;
	int64_t greatest = INT64_MIN;

	d->work += words / 2;
	for (uint32_t word = 0; word < words; word++) {
		for (uint64_t bits = d->reached[word]; bits; bits &= bits - 1) {
			uint32_t used = word * 64 + __builtin_ctzll(bits);
			struct step step = d->step[used];
			int64_t left = d->price * used - step.loss;

			d->step[used].loss = NO_LOSS;
			d->work += 4;
			if (step.loss >= d->gap || left <= greatest ||
			    used > 2 * d->capacity || d->nodes == NODES)
				continue;
			greatest = left;
			next += move_on(d, who, used, &step, further, next);
		}
		d->reached[word] = 0;
	}
	d->states = next - d->state_next;
	next = d->state;
	d->state = d->state_next;
	d->state_next = next;
	return d->nodes < NODES;
}

static int by_loss(const void *a, const void *b)
{
	const struct rival *x = a, *y = b;

	if (x->least_loss != y->least_loss)
		return x->least_loss < y->least_loss ? -1 : 1;
	return x->who < y->who ? -1 : 1;
}

static size_t find_rivals(struct p4d_divider *d)
{
	size_t n = 0;

	for (uint32_t who = 0; who < d->n; who++) {
		size_t options = find_options(d, who, best_surplus(d, who));
		uint64_t least = NO_LOSS;

		for (size_t i = 0; i < options; i++)
			if (d->option[i].loss < least)
				least = d->option[i].loss;
		if (options)
			d->rival[n++] = (struct rival){ least, who };
	}
	qsort(d->rival, n, sizeof(*d->rival), by_loss);
	return n;
}

/* True: nothing better is left. */
static bool search(struct p4d_divider *d)
{
	size_t rivals = find_rivals(d);

	d->state[0] = (struct state){ 0, d->used, NO_NODE };
	d->states = 1;
	for (size_t i = 0; i < rivals && d->states && d->gap > d->rival[i].least_loss; i++) {
		uint64_t further = i + 1 < rivals ? d->rival[i + 1].least_loss : 0;
		uint32_t who = d->rival[i].who;
		int64_t best = best_surplus(d, who);
		size_t options = find_options(d, who, best);
		uint64_t present = loss_of(d, who, d->bidder[who].give, best);

		if (d->work + d->states * options > P4D_DIVIDE_WORK)
			return false;
		d->option[options++] = (struct option){ present, d->bidder[who].give, 0 };
		d->rest -= present;
		spread(d, who, options);
		if (!gather(d, who, further))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------------- division */

static void *more(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n, size);
	if (!p)
		abort();
	return p;
}

static void make_room(struct p4d_divider *d, size_t n)
{
	if (n <= d->room)
		return;
	d->heap = more(d->heap, n, sizeof(*d->heap));
	d->at = more(d->at, n, sizeof(*d->at));
	d->filled = more(d->filled, n, sizeof(*d->filled));
	d->rival = more(d->rival, n, sizeof(*d->rival));
	d->room = n;
}

static void begin(struct p4d_divider *d, struct p4d_bidder *b, size_t n, uint32_t capacity)
{
	make_room(d, n);
	d->bidder = b;
	d->n = n;
	d->capacity = capacity;
	d->used = d->nodes = d->work = 0;
	d->best = NO_NODE;
	memset(d->at, 0, n * sizeof(*d->at));
	for (size_t i = 0; i < n; i++)
		d->used += b[i].cost * b[i].curve->least;
}

/* Where the price leaves everybody: gives, and what that loses against the bound. */
static uint64_t take_stock(struct p4d_divider *d)
{
	uint64_t bound = d->price * d->capacity;

	d->rest = 0;
	for (uint32_t who = 0; who < d->n; who++) {
		struct p4d_bidder *b = &d->bidder[who];
		int64_t best = best_surplus(d, who);

		b->give = b->curve->corner[d->at[who]];
		bound += best - d->price * b->cost * b->curve->least;
		d->rest += best - surplus(d, b, b->give);
	}
	d->gap = d->rest + d->price * (d->capacity - d->used);
	return bound;
}

static void go_back(struct p4d_divider *d)
{
	for (uint32_t i = d->best; i != NO_NODE; i = d->node[i].before) {
		struct p4d_bidder *b = &d->bidder[d->node[i].who];

		d->used += b->cost * d->node[i].give - b->cost * b->give;
		b->give = d->node[i].give;
	}
}

struct p4d_worth p4d_divide(struct p4d_divider *d, struct p4d_bidder *b, size_t n,
			    uint32_t capacity)
{
	struct p4d_worth w = { 0 };
	size_t edges;

	begin(d, b, n, capacity);
	edges = settle_price(d);
	w.price = d->price;
	w.bound = take_stock(d);
	if (d->gap)
		fill(d, edges);
	w.exact = !d->gap || search(d);
	go_back(d);
	w.value = w.bound - d->gap;
	w.used = d->used;
	if (w.exact)
		w.bound = w.value;
	return w;
}

struct p4d_divider *p4d_divider_create(void)
{
	struct p4d_divider *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->state = d->room_of_states[0];
	d->state_next = d->room_of_states[1];
	for (size_t i = 0; i < AMOUNTS; i++)
		d->step[i].loss = NO_LOSS;
	return d;
}

void p4d_divider_destroy(struct p4d_divider *d)
{
	if (!d)
		return;
	free(d->heap);
	free(d->at);
	free(d->filled);
	free(d->rival);
	free(d);
}
