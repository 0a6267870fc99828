// SPDX-License-Identifier: GPL-2.0-or-later
/* explain.c - see explain.h. Shares are of what all that is wanted would be worth to the tenant. */
#include "explain.h"
#include "grant.h"
#include "reservation.h"
#include "target.h"
#include "why.h"

static void put(struct json_object *o, const char *name, int64_t value)
{
	json_object_object_add(o, name, json_object_new_int64(value));
}

static struct json_object *put_object(struct json_object *o, const char *name)
{
	struct json_object *sub = json_object_new_object();

	json_object_object_add(o, name, sub);
	return sub;
}

static struct json_object *put_list(struct json_object *o, const char *name)
{
	struct json_object *list = json_object_new_array();

	json_object_object_add(o, name, list);
	return list;
}

static struct json_object *part(double value)
{
	return json_object_new_double(value);
}

static const struct p4d_batch *batch_of(const struct p4d_tenant *t)
{
	return t->next ? t->next : t->cur;
}

/* -------------------------------------------------------------------------------- how many */

static void put_curve(struct json_object *o, const char *name, const struct p4d_curve *c,
		      unsigned int most)
{
	struct json_object *list = put_list(o, name);

	for (unsigned int n = 0; n <= most; n++)
		json_object_array_add(list, part((double)c->value[n] / P4D_CURVE_ONE));
}

static void put_curves(const struct p4d_batch *b, struct json_object *o)
{
	struct p4d_curve declared;

	p4d_curve_make(&declared, b->hist, b->nr_hist, P4D_CURVE_OWN, b->together);
	put_curve(o, "declared", &declared, b->want_blocks);
	put_curve(o, "believed", &b->curve, b->want_blocks);
}

static void put_check(const struct p4d_tenant *t, const struct p4d_batch *b, struct json_object *o)
{
	struct json_object *check = put_object(o, "check"), *list;
	uint16_t off[P4W_MAX_BLOCKS];

	p4d_check_off(&t->check, off);
	put(check, "batches", t->check.batches);
	put(check, "believed", b ? p4d_believed(b) : 100);
	list = put_list(check, "off");
	for (unsigned int i = 0; b && i < b->nr_hist; i++)
		json_object_array_add(list, part(off[i] / 65536.0));
}

/* What one block more or less would bring, and what a block costs: in the same parts. */
static void put_price(const struct p4d_engine *e, const struct p4d_tenant *t,
		      const struct p4d_batch *b, uint32_t n, struct json_object *o)
{
	uint32_t factor = p4d_target_factor(t), cost = p4d_target_cost(t);
	const uint32_t *value = b->curve.value;

	put(o, "weight", t->conf.weight);
	put(o, "credit", t->account.credit);
	put(o, "factor", factor);
	put(o, "hot", t->hot * 100 / 256);
	json_object_object_add(o, "price", part((double)e->worth.price * cost / factor /
						P4D_CURVE_ONE));
	json_object_object_add(o, "last_block", n ? part((double)(value[n] - value[n - 1]) /
							 P4D_CURVE_ONE) : NULL);
	json_object_object_add(o, "next_block", n < b->curve.most ?
			       part((double)(value[n + 1] - value[n]) / P4D_CURVE_ONE) : NULL);
}

static void put_number(const struct p4d_engine *e, const struct p4d_tenant *t,
		       const struct p4d_batch *b, struct json_object *o)
{
	struct json_object *sub = put_object(o, "number");

	put(sub, "min", b->min_blocks);
	put(sub, "want", b->want_blocks);
	put(sub, "guaranteed", t->conf.min_blocks);
	put(sub, "most", p4d_grant_limit(e, t));
	put(sub, "target", t->target);
	put(sub, "held", t->cur ? p4d_blocks_count(&t->cur->blocks) : 0);
	put(sub, "together", b->together);
	put_price(e, t, b, t->target, sub);
	sub = put_object(sub, "certificate");
	json_object_object_add(sub, "of_bound", part(e->worth.bound ? (double)e->worth.value /
						     e->worth.bound : 1));
	json_object_object_add(sub, "exact", json_object_new_boolean(e->worth.exact));
}

/* ------------------------------------------------------------------------------------ when */

static int64_t until(uint64_t at, uint64_t now)
{
	return at > now ? at - now : 0;
}

static void put_ahead(const struct p4d_engine *e, const struct p4d_tenant *t, uint64_t now,
		      struct json_object *o)
{
	struct json_object *list = put_list(o, "ahead");

	for (const struct p4d_tenant *other = e->tenants; other; other = other->link) {
		struct json_object *one;

		if (other == t || !t->next || !other->next ||
		    !p4d_reservation_comes_before(other->next, t->next))
			continue;
		one = json_object_new_object();
		put(one, "tenant", other->id);
		put(one, "min_blocks", other->next->min_blocks);
		put(one, "start_us", until(other->next->ready_at, now));
		json_object_array_add(list, one);
	}
}

static void put_holders(const struct p4d_engine *e, const struct p4d_tenant *t, uint64_t now,
			struct json_object *o)
{
	struct json_object *list = put_list(o, "holders");

	for (const struct p4d_tenant *other = e->tenants; other; other = other->link) {
		struct json_object *one;

		if (other == t || !other->cur)
			continue;
		one = json_object_new_object();
		put(one, "tenant", other->id);
		put(one, "blocks", p4d_blocks_count(&other->cur->blocks));
		json_object_object_add(one, "lease_us", other->cur->state != P4D_HELD ? NULL :
			json_object_new_int64((int64_t)(other->cur->lease_until - now)));
		json_object_array_add(list, one);
	}
}

static void put_when(const struct p4d_engine *e, const struct p4d_tenant *t, uint64_t now,
		     struct json_object *o)
{
	struct json_object *sub = put_object(o, "when");
	uint32_t wait_us = 0, ahead = 0;

	json_object_object_add(sub, "why", json_object_new_string(p4d_why_name(p4d_why(e, t))));
	json_object_object_add(sub, "lease_us", !t->cur || t->cur->state != P4D_HELD ? NULL :
		json_object_new_int64((int64_t)(t->cur->lease_until - now)));
	if (t->next) {
		p4d_reservation_outlook(e, t, &wait_us, &ahead);
		put(sub, "start_us", until(t->next->ready_at, now));
		put(sub, "waited_us", t->next->waiting_from ? until(now, t->next->waiting_from) : 0);
		put(sub, "wait_us", wait_us);
		put(sub, "barred_us", until(t->barred_until, now));
		put(sub, "passed_over", t->next->bypassed);
	}
	put(sub, "overrun", t->overrun * 100 / 256);
	put(sub, "free", p4d_grant_free(e));
	put_ahead(e, t, now, sub);
	put_holders(e, t, now, sub);
}

void p4d_explain(const struct p4d_engine *e, const struct p4d_tenant *t, uint64_t now,
		 struct json_object *o)
{
	const struct p4d_batch *b = batch_of(t);

	put(o, "tenant", t->id);
	json_object_object_add(o, "name", json_object_new_string(t->conf.name));
	put(o, "batch", b ? b->number : t->last);
	put_check(t, b, o);
	if (!b) {
		json_object_object_add(o, "number", NULL);
		json_object_object_add(o, "when", NULL);
		return;
	}
	put_number(e, t, b, o);
	put_curves(b, o);
	put_when(e, t, now, o);
}
