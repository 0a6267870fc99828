// SPDX-License-Identifier: GPL-2.0-or-later
/* orders.c - see orders.h. One thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "orders.h"
#include "zipf.h"

#define AMOUNT_MAX	5000
#define NU_ITEMS	255	/* TPC-C's A, for as many items */
#define NU_CUSTOMERS	15
#define NEW_ORDER_PERCENT 51
#define ROLLBACK_PERCENT 1	/* of new-orders */
#define FAULTS_SHOWN	10

static uint32_t key_of(const struct orders *o, uint32_t w, uint32_t field)
{
	return field * o->warehouses + w;
}

static uint32_t customer_key(const struct orders *o, uint32_t w, uint32_t customer, uint32_t what)
{
	return key_of(o, w, ORDERS_CUSTOMER + 3 * customer + what);
}

/* ------------------------------------------------------------------ transactions */

/* TPC-C's NURand over 0 .. n-1, with C 0. */
static uint32_t draw_uneven(struct rng *r, uint32_t a, uint32_t n)
{
	return (rng_below(r, a + 1) | rng_below(r, n)) % n;
}

static uint32_t draw_warehouse(const struct orders *o, struct rng *r, uint32_t home)
{
	return rng_below(r, 100) < o->remote_percent ? rng_below(r, o->warehouses) : home;
}

static bool has_key(const struct trace_op *ops, unsigned int n, uint32_t key)
{
	while (n--)
		if (ops[n].key == key)
			return true;
	return false;
}

static unsigned int draw_new_order(const struct orders *o, struct rng *r, uint32_t home,
				   struct trace_op *ops)
{
	unsigned int n = 1, lines = 5 + rng_below(r, ORDERS_LINES_MAX - 4);

	ops[0] = (struct trace_op){ key_of(o, home, ORDERS_D_NEXT + rng_below(r, ORDERS_DISTRICTS)), 1,
				    TRACE_ADD };
	while (n <= lines) {
		uint32_t key = key_of(o, draw_warehouse(o, r, home),
				      ORDERS_STOCK + draw_uneven(r, NU_ITEMS, ORDERS_ITEMS));

		if (!has_key(ops, n, key))
			ops[n++] = (struct trace_op){ key, -(1 + rng_below(r, 10)), TRACE_REFILL };
	}
	if (rng_below(r, 100) < ROLLBACK_PERCENT)
		ops[n - 1] = (struct trace_op){ key_of(o, home, ORDERS_NO_ITEM), -1, TRACE_CADD };
	return n;
}

static unsigned int draw_payment(const struct orders *o, struct rng *r, uint32_t home,
				 struct trace_op *ops)
{
	uint32_t amount = 1 + rng_below(r, AMOUNT_MAX), district = rng_below(r, ORDERS_DISTRICTS);
	uint32_t w = draw_warehouse(o, r, home), customer;

	customer = rng_below(r, ORDERS_DISTRICTS) * ORDERS_CUSTOMERS +
		   draw_uneven(r, NU_CUSTOMERS, ORDERS_CUSTOMERS);
	ops[0] = (struct trace_op){ key_of(o, home, ORDERS_W_YTD), amount, TRACE_ADD };
	ops[1] = (struct trace_op){ key_of(o, home, ORDERS_D_YTD + district), amount, TRACE_ADD };
	ops[2] = (struct trace_op){ customer_key(o, w, customer, 0), -amount, TRACE_ADD };
	ops[3] = (struct trace_op){ customer_key(o, w, customer, 1), amount, TRACE_ADD };
	ops[4] = (struct trace_op){ customer_key(o, w, customer, 2), 1, TRACE_ADD };
	return 5;
}

int orders_trace(const struct orders *o, unsigned int node, unsigned int nodes, struct trace *t)
{
	struct rng r = { .state = (uint64_t)o->seed << 8 | node };
	struct trace_op ops[TRACE_OPS_MAX];

	if (trace_new(t, o->txns))
		return -ENOMEM;
	for (uint32_t i = 0; i < o->txns; i++) {
		uint32_t home = rng_below(&r, o->warehouses / nodes) * nodes + node;

		trace_add(t, ops, rng_below(&r, 100) < NEW_ORDER_PERCENT ?
			  draw_new_order(o, &r, home, ops) : draw_payment(o, &r, home, ops));
	}
	return 0;
}

uint32_t orders_rollbacks(const struct trace *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->txns; i++)
		n += trace_ops(t, i)[trace_len(t, i) - 1].kind == TRACE_CADD;
	return n;
}

/* ------------------------------------------------------------------ rows */

/* The array with room for `more` elements behind n; it grows at powers of two. NULL: it has none. */
static void *grown(void *array, size_t n, size_t more, size_t size)
{
	size_t room = 16;

	while (room < n)
		room *= 2;
	if (array && n + more <= room)
		return array;
	while (room < n + more)
		room *= 2;
	return realloc(array, room * size);
}

static bool insert_order(struct orders_district *d, uint32_t id, uint32_t lines)
{
	void *orders = grown(d->orders, d->nr_orders, 1, sizeof(*d->orders));
	void *order_lines;

	if (!orders)
		return false;
	d->orders = orders;
	order_lines = grown(d->order_lines, d->nr_lines, lines, sizeof(*d->order_lines));
	if (!order_lines)
		return false;
	d->order_lines = order_lines;
	d->orders[d->nr_orders++] = (struct orders_row){ id, lines };
	while (lines--)
		d->order_lines[d->nr_lines++] = id;
	return true;
}

void orders_free(struct orders *o)
{
	for (uint32_t i = 0; o->district && i < o->warehouses * ORDERS_DISTRICTS; i++) {
		free(o->district[i].orders);
		free(o->district[i].order_lines);
	}
	free(o->district);
}

void orders_committed(void *arg, uint32_t number, const struct history_op *ops, unsigned int n)
{
	struct orders *o = arg;
	uint32_t w = ops[0].op.key % o->warehouses, field = ops[0].op.key / o->warehouses;

	if (field == ORDERS_W_YTD) {
		field = ops[1].op.key / o->warehouses;
		o->district[w * ORDERS_DISTRICTS + field - ORDERS_D_YTD].paid += ops[1].op.operand;
		o->paid += ops[0].op.operand;
		return;
	}
	if (!insert_order(&o->district[w * ORDERS_DISTRICTS + field - ORDERS_D_NEXT], ops[0].got, n - 1))
		o->no_memory = true;
}

/* ------------------------------------------------------------------ conditions */

struct check {
	const struct orders *o;
	uint32_t (*value)(void *arg, uint32_t key);
	void *arg;
	FILE *out;
	unsigned int faults;
};

__attribute__((format(printf, 2, 3)))
static void fault(struct check *c, const char *fmt, ...)
{
	va_list ap;

	if (c->faults++ >= FAULTS_SHOWN)
		return;
	va_start(ap, fmt);
	vfprintf(c->out, fmt, ap);
	va_end(ap);
	putc('\n', c->out);
}

static uint32_t read_field(const struct check *c, uint32_t w, uint32_t field)
{
	return c->value(c->arg, key_of(c->o, w, field));
}

/* 2: the counter is one above the highest order; 3: no number is missing; 4: each line has its row. */
static void check_district(struct check *c, uint32_t w, uint32_t district)
{
	const struct orders_district *d = &c->o->district[w * ORDERS_DISTRICTS + district];
	uint32_t next = read_field(c, w, ORDERS_D_NEXT + district), most = ORDERS_FIRST_ID - 1;
	uint32_t least = ORDERS_FIRST_ID - ORDERS_OLD_NEW;
	size_t lines = 0;

	for (size_t i = 0; i < d->nr_orders; i++) {
		most = d->orders[i].id > most ? d->orders[i].id : most;
		least = d->orders[i].id < least ? d->orders[i].id : least;
		lines += d->orders[i].lines;
	}
	if (next - 1 != most)
		fault(c, "condition 2: warehouse %u district %u: next order %u, the last one is %u", w,
		      district, next, most);
	if (most - least + 1 != ORDERS_OLD_NEW + d->nr_orders)
		fault(c, "condition 3: warehouse %u district %u: orders %u .. %u, but %zu rows", w,
		      district, least, most, ORDERS_OLD_NEW + d->nr_orders);
	if (lines != d->nr_lines)
		fault(c, "condition 4: warehouse %u district %u: orders have %zu lines, there are %zu",
		      w, district, lines, d->nr_lines);
}

/* 1: the warehouse has what its districts have; 8, 9: and that is what the history says. */
static void check_paid(struct check *c, uint32_t w)
{
	uint32_t ytd = read_field(c, w, ORDERS_W_YTD), of_districts = 0, history = 0;

	for (uint32_t i = 0; i < ORDERS_DISTRICTS; i++) {
		uint32_t paid = c->o->district[w * ORDERS_DISTRICTS + i].paid;
		uint32_t d_ytd = read_field(c, w, ORDERS_D_YTD + i);

		of_districts += d_ytd;
		history += paid;
		if (d_ytd != ORDERS_D_YTD_START + paid)
			fault(c, "condition 9: warehouse %u district %u: ytd %u, the history has %u", w, i,
			      d_ytd, ORDERS_D_YTD_START + paid);
	}
	if (ytd != of_districts)
		fault(c, "condition 1: warehouse %u: ytd %u, its districts together %u", w, ytd,
		      of_districts);
	if (ytd != ORDERS_W_YTD_START + history)
		fault(c, "condition 8: warehouse %u: ytd %u, the history has %u", w, ytd,
		      ORDERS_W_YTD_START + history);
}

static void check_stock(struct check *c, uint32_t w)
{
	for (uint32_t i = 0; i < ORDERS_ITEMS; i++) {
		uint32_t quantity = read_field(c, w, ORDERS_STOCK + i);

		if (quantity < ORDERS_STOCK_LEAST || quantity > ORDERS_STOCK_MOST)
			fault(c, "stock: warehouse %u item %u: %u, must be %u .. %u", w, i, quantity,
			      ORDERS_STOCK_LEAST, ORDERS_STOCK_MOST);
	}
}

static void check_customers(struct check *c, uint32_t w)
{
	for (uint32_t i = 0; i < ORDERS_DISTRICTS * ORDERS_CUSTOMERS; i++) {
		uint32_t balance = c->value(c->arg, customer_key(c->o, w, i, 0));
		uint32_t paid = c->value(c->arg, customer_key(c->o, w, i, 1));

		if (balance + paid != (uint32_t)(ORDERS_C_BALANCE_START + ORDERS_C_PAID_START))
			fault(c, "customer %u of warehouse %u: balance %d, has paid %u", i, w,
			      (int32_t)balance, paid);
	}
}

static void check_no_item(struct check *c, uint32_t w)
{
	uint32_t value = read_field(c, w, ORDERS_NO_ITEM);

	if (value)
		fault(c, "rollback: warehouse %u: what does not exist has %u", w, value);
}

unsigned int orders_check(const struct orders *o, unsigned int node, unsigned int nodes,
			  uint32_t (*value)(void *arg, uint32_t key), void *arg, FILE *out)
{
	struct check c = { .o = o, .value = value, .arg = arg, .out = out };

	for (uint32_t w = node; w < o->warehouses; w += nodes) {
		for (uint32_t i = 0; i < ORDERS_DISTRICTS; i++)
			check_district(&c, w, i);
		check_paid(&c, w);
		check_stock(&c, w);
		check_customers(&c, w);
		check_no_item(&c, w);
	}
	if (o->no_memory)
		fault(&c, "rows: there was no memory for some");
	return c.faults;
}
