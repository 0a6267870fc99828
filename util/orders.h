/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * orders.h - TPC-C's new-order and payment, on keys and on tables of rows.
 *
 * Key of field f of warehouse w: f * warehouses + w; a warehouse is at node w % nodes, with its districts,
 * its stock and its customers. What has a counter or a balance is a key; orders, their lines and the
 * history of payments are rows at the node whose transactions they are of, which is the warehouse's own.
 * Stock and customers may be another warehouse's.
 *
 * One new-order of a hundred is rolled back, as TPC-C wants it: the item of its last line does not exist.
 * That line is a conditional add which the key of no item always refuses; so the transaction aborts,
 * with what it has done at other owners undone, whether that key is in the switch or not.
 */
#ifndef ORDERS_H
#define ORDERS_H

#include <stdbool.h>
#include <stdio.h>

#include "history.h"
#include "trace.h"

#define ORDERS_DISTRICTS	10
#define ORDERS_ITEMS		1000
#define ORDERS_CUSTOMERS	30	/* of a district */
#define ORDERS_LINES_MAX	10

enum orders_field {			/* of a warehouse */
	ORDERS_W_YTD = 0,
	ORDERS_D_YTD = 1,		/* + district */
	ORDERS_D_NEXT = ORDERS_D_YTD + ORDERS_DISTRICTS,
	ORDERS_STOCK = ORDERS_D_NEXT + ORDERS_DISTRICTS,	/* + item */
	ORDERS_CUSTOMER = ORDERS_STOCK + ORDERS_ITEMS,	/* + 3 * customer: balance, paid, payments */
	ORDERS_NO_ITEM = ORDERS_CUSTOMER + 3 * ORDERS_DISTRICTS * ORDERS_CUSTOMERS,	/* always 0 */
	ORDERS_FIELDS,
};

#define ORDERS_FIRST_ID		3001	/* of a district's orders, with 900 before not delivered */
#define ORDERS_OLD_NEW		900

#define ORDERS_W_YTD_START	300000
#define ORDERS_D_YTD_START	(ORDERS_W_YTD_START / ORDERS_DISTRICTS)
#define ORDERS_C_BALANCE_START	(-10)
#define ORDERS_C_PAID_START	10
#define ORDERS_STOCK_LEAST	10
#define ORDERS_STOCK_MOST	100

struct orders_row {			/* ORDER and NEW-ORDER */
	uint32_t id, lines;
};

struct orders_district {
	struct orders_row *orders;
	uint32_t *order_lines;		/* ORDER-LINE: the order of each */
	size_t nr_orders, nr_lines;
	uint32_t paid;			/* HISTORY: sum of amounts */
};

struct orders {
	uint32_t warehouses, remote_percent, txns, seed;
	struct orders_district *district;	/* of all warehouses; used of own ones */
	uint32_t paid;			/* by all payments of this node */
	bool no_memory;
};

/* Draws a node's transactions: 0 or -ENOMEM. */
int orders_trace(const struct orders *o, unsigned int node, unsigned int nodes, struct trace *t);

/* How many of them have to be rolled back. */
uint32_t orders_rollbacks(const struct trace *t);

/* node_config.committed, arg is a struct orders: rows of a transaction of this node. */
void orders_committed(void *arg, uint32_t number, const struct history_op *ops, unsigned int n);

/* All rows, and the table of districts. */
void orders_free(struct orders *o);

/*
 * Consistency conditions 1 to 4, 8 and 9 of TPC-C's section 3.3.2 for own warehouses, that stock stays
 * within 10 .. 100, that customers' balances are what they have paid, and that nothing was ordered of the
 * item that there is not. `value` reads an own key. 0, or the number of faults, of which the first are
 * written to `out`.
 */
unsigned int orders_check(const struct orders *o, unsigned int node, unsigned int nodes,
			  uint32_t (*value)(void *arg, uint32_t key), void *arg, FILE *out);

#endif /* ORDERS_H */
