// SPDX-License-Identifier: GPL-2.0-or-later
/* target.c - see target.h. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "grant.h"
#include "out.h"
#include "target.h"

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void limit(const struct p4d_engine *e, const struct p4d_tenant *t, struct p4d_batch *b)
{
	uint32_t most = min32(b->want_blocks, p4d_grant_limit(e, t));

	if (b->min_blocks <= most)
		p4d_curve_limit(&b->curve, min32(t->conf.min_blocks, most), b->min_blocks, most);
}

void p4d_target_declare(const struct p4d_engine *e, const struct p4d_tenant *t,
			struct p4d_batch *b, const struct p4d_request *req)
{
	uint16_t believed[P4W_MAX_BLOCKS];
	uint32_t whole;

	b->nr_hist = 0;
	b->together = 1;
	if (req && req->hist) {
		b->nr_hist = min32(req->nr_hist, b->want_blocks);
		b->together = req->together;
		memcpy(b->hist, req->hist, b->nr_hist * sizeof(*b->hist));
		for (unsigned int i = 0; i < b->nr_hist; i++)
			b->hist[i] = ntohs(b->hist[i]);
	}
	whole = p4d_check_apply(&t->check, b->hist, b->nr_hist, believed);
	p4d_curve_make(&b->curve, believed, b->nr_hist, whole, b->together);
	limit(e, t, b);
}

void p4d_target_limit(const struct p4d_engine *e, struct p4d_tenant *t)
{
	if (t->cur)
		limit(e, t, t->cur);
	if (t->next)
		limit(e, t, t->next);
}

void p4d_target_learn(const struct p4d_engine *e, struct p4d_tenant *t)
{
	uint64_t held = e->now - t->cur->granted_at;

	t->hot = (3 * t->hot + 256 * held / (held + t->cold_us + 1)) / 4;
}

uint32_t p4d_target_factor(const struct p4d_tenant *t)
{
	return p4d_account_factor(&t->account, t->conf.weight);
}

uint32_t p4d_target_cost(const struct p4d_tenant *t)
{
	return 1 + (t->hot * (P4D_COST_MAX - 1) + 128) / 256;
}

static const struct p4d_batch *at_work(const struct p4d_tenant *t)
{
	return t->next ? t->next : t->cur && t->cur->state != P4D_TAKING ? t->cur : NULL;
}

static struct p4d_bidder bidder_of(const struct p4d_tenant *t)
{
	return (struct p4d_bidder){
		.curve = &at_work(t)->curve,
		.factor = p4d_target_factor(t),
		.cost = p4d_target_cost(t),
	};
}

void p4d_target_all(struct p4d_engine *e)
{
	struct p4d_bidder *b = p4d_alloc((e->nr_tenants + 1) * sizeof(*b));
	uint32_t capacity = e->geo.blocks * P4D_COST_MAX, must = 0;
	size_t n = 0;

	for (struct p4d_tenant *t = e->tenants; t; t = t->link) {
		if (!at_work(t))
			continue;
		b[n] = bidder_of(t);
		must += b[n].cost * b[n].curve->least;
		n++;
	}
	/* Guarantees beyond what there is: nobody has more than its own. */
	if (must <= capacity)
		e->worth = p4d_divide(e->divider, b, n, capacity);
	n = 0;
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (at_work(t)) {
			t->target = must <= capacity ? b[n].give : b[n].curve->least;
			n++;
		}
	free(b);
}
