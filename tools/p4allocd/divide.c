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
#define NO_NODE UINT32_MAX
#define NO_LOSS UINT64_MAX

struct edge {			/* the next one of a bidder */
	uint64_t slope;		/* worth of a unit of capacity, rounded down */
	uint32_t who;
};

struct option {			/* a number of blocks for a bidder */
	uint64_t loss;
	uint32_t give;
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
	size_t room;		/* of bidders */
	struct edge *heap;
	uint16_t *at;		/* corner that each bidder has reached */
	struct rival *rival;
	size_t amounts;		/* of capacity in use, up to twice what there is */
	struct state *state, *state_next;
	struct step *step;
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

static struct edge next_edge(const struct p4d_divider *d, uint32_t who)
{
	const struct p4d_bidder *b = &d->bidder[who];
	const uint16_t *c = &b->curve->corner[d->at[who]];

	return (struct edge){ (worth(b, c[1]) - worth(b, c[0])) / (b->cost * (c[1] - c[0])), who };
}

static bool has_edge(const struct p4d_divider *d, uint32_t who)
{
	return d->at[who] + 1 < d->bidder[who].curve->corners;
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

/* Price is 0 if everybody can have what is of use. */
static void settle_price(struct p4d_divider *d)
{
	size_t n = 0;

	for (uint32_t who = 0; who < d->n; who++)
		if (has_edge(d, who))
			d->heap[n++] = next_edge(d, who);
	for (size_t i = n / 2; i-- > 0;)
		sink(d->heap, n, i);
	while (n && d->heap[0].slope) {
		uint32_t who = d->heap[0].who;
		const uint16_t *c = &d->bidder[who].curve->corner[d->at[who]];
		uint32_t cost = d->bidder[who].cost * (c[1] - c[0]);

		if (cost > d->capacity - d->used) {
			d->price = d->heap[0].slope;
			return;
		}
		d->used += cost;
		d->at[who]++;
		d->heap[0] = has_edge(d, who) ? next_edge(d, who) : d->heap[--n];
		sink(d->heap, n, 0);
	}
	d->price = 0;
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

static uint64_t present_loss(const struct p4d_divider *d, uint32_t who)
{
	return loss_of(d, who, d->bidder[who].give, best_surplus(d, who));
}

static bool offer(struct p4d_divider *d, size_t *n, uint64_t loss, unsigned int blocks)
{
	d->work++;
	if (loss >= d->gap)
		return false;
	d->option[(*n)++] = (struct option){ loss, blocks };
	return true;
}

/*
 * Numbers other than the present one that lose less than the gap. Along the envelope losses only
 * grow with the distance: a corner that loses too much ends the search on its side.
 */
static size_t find_options(struct p4d_divider *d, uint32_t who)
{
	const struct p4d_curve *c = d->bidder[who].curve;
	int64_t best = best_surplus(d, who);
	unsigned int at = d->at[who];
	bool go_on = true;
	size_t n = 0;

	for (unsigned int i = at; i-- > 0 && go_on;) {
		for (unsigned int b = c->corner[i + 1]; --b > c->corner[i] && b >= c->min;)
			offer(d, &n, loss_of(d, who, b, best), b);
		go_on = offer(d, &n, loss_of(d, who, c->corner[i], best), c->corner[i]);
	}
	go_on = true;
	for (unsigned int i = at; i + 1 < c->corners && go_on; i++) {
		unsigned int b = c->corner[i] + 1;

		for (b = b < c->min ? c->min : b; b < c->corner[i + 1]; b++)
			offer(d, &n, loss_of(d, who, b, best), b);
		go_on = offer(d, &n, loss_of(d, who, b, best), b);
	}
	return n;
}

/* --------------------------------------------------------------------------------- search */

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
static void spread(struct p4d_divider *d, uint32_t who, size_t options, uint32_t *low,
		   uint32_t *high)
{
	uint32_t cost = d->bidder[who].cost, give = d->bidder[who].give;

	*low = UINT32_MAX;
	*high = 0;
	for (uint32_t i = 0; i < d->states; i++) {
		const struct state *s = &d->state[i];

		for (uint32_t o = 0; o < options; o++) {
			uint64_t loss = s->loss + d->option[o].loss;
			uint32_t used = s->used + cost * d->option[o].give - cost * give;
			struct step *step = &d->step[used];

			if (loss >= d->gap || used > 2 * d->capacity)
				continue;
			*low = used < *low ? used : *low;
			*high = used > *high ? used : *high;
			if (loss < step->loss)
				*step = (struct step){ loss, i, o };
		}
	}
	d->work += d->states * options;
}

/*
 * The next generation. A state that uses no less than another one and has a smaller worth is left
 * out. False: no room for more decisions.
 */
static bool gather(struct p4d_divider *d, uint32_t who, uint32_t low, uint32_t high)
{
	int64_t greatest = INT64_MIN;
	struct state *old = d->state;
	size_t n = 0;

	for (uint32_t used = low; used <= high; used++) {
		struct step step = d->step[used];
		int64_t left = d->price * used - step.loss;
		uint32_t node, give;

		d->step[used].loss = NO_LOSS;
		if (step.loss == NO_LOSS || step.loss >= d->gap || left <= greatest ||
		    d->nodes == NODES)
			continue;
		greatest = left;
		node = old[step.state].node;
		give = d->option[step.option].give;
		if (give != d->bidder[who].give) {
			d->node[d->nodes] = (struct node){ node, who, give };
			node = d->nodes++;
		}
		d->state_next[n] = (struct state){ step.loss, used, node };
		consider(d, &d->state_next[n++]);
	}
	d->state = d->state_next;
	d->state_next = old;
	d->states = n;
	d->work += (high - low) / 4;
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
		size_t options = find_options(d, who);
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
	for (size_t i = 0; i < rivals && d->gap > d->rival[i].least_loss; i++) {
		uint32_t who = d->rival[i].who, low, high;
		size_t options = find_options(d, who);
		uint64_t present = present_loss(d, who);

		if (d->work + d->states * options > P4D_DIVIDE_WORK)
			return false;
		d->option[options++] = (struct option){ present, d->bidder[who].give };
		d->rest -= present;
		spread(d, who, options, &low, &high);
		if (low <= high && !gather(d, who, low, high))
			return false;
		if (low > high)
			return true;
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

static void make_room(struct p4d_divider *d, size_t n, uint32_t capacity)
{
	size_t amounts = 2 * (size_t)capacity + 1;

	if (n > d->room) {
		d->heap = more(d->heap, n, sizeof(*d->heap));
		d->at = more(d->at, n, sizeof(*d->at));
		d->rival = more(d->rival, n, sizeof(*d->rival));
		d->room = n;
	}
	if (amounts > d->amounts) {
		d->state = more(d->state, amounts, sizeof(*d->state));
		d->state_next = more(d->state_next, amounts, sizeof(*d->state_next));
		d->step = more(d->step, amounts, sizeof(*d->step));
		for (size_t i = 0; i < amounts; i++)
			d->step[i].loss = NO_LOSS;
		d->amounts = amounts;
	}
}

static void begin(struct p4d_divider *d, struct p4d_bidder *b, size_t n, uint32_t capacity)
{
	make_room(d, n, capacity);
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

	begin(d, b, n, capacity);
	settle_price(d);
	w.price = d->price;
	w.bound = take_stock(d);
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
	return calloc(1, sizeof(struct p4d_divider));
}

void p4d_divider_destroy(struct p4d_divider *d)
{
	if (!d)
		return;
	free(d->heap);
	free(d->at);
	free(d->rival);
	free(d->state);
	free(d->state_next);
	free(d->step);
	free(d);
}
