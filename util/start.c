// SPDX-License-Identifier: GPL-2.0-or-later
/* start.c - see start.h. Pure. */
#include "bank.h"
#include "orders.h"
#include "start.h"
#include "trace.h"

static uint32_t orders_value(uint32_t keys, uint32_t key)
{
	uint32_t field = key / (keys / ORDERS_FIELDS);

	if (field == ORDERS_W_YTD)
		return ORDERS_W_YTD_START;
	if (field < ORDERS_D_NEXT)
		return ORDERS_D_YTD_START;
	if (field < ORDERS_STOCK)
		return ORDERS_FIRST_ID;
	if (field < ORDERS_CUSTOMER)
		return ORDERS_STOCK_LEAST + trace_initial(key) % (ORDERS_STOCK_MOST - ORDERS_STOCK_LEAST + 1);
	if (field == ORDERS_NO_ITEM)
		return 0;
	switch ((field - ORDERS_CUSTOMER) % 3) {
	case 0:
		return (uint32_t)ORDERS_C_BALANCE_START;
	case 1:
		return ORDERS_C_PAID_START;
	default:
		return 1;
	}
}

uint32_t start_value(enum start start, uint32_t keys, uint32_t key)
{
	switch (start) {
	case START_BANK:
		return BANK_START;
	case START_ORDERS:
		return orders_value(keys, key);
	default:
		return trace_initial(key);
	}
}

const char *start_name(enum start start)
{
	static const char *const names[START_KINDS] = { "mixed", "bank", "orders" };

	return names[start];
}
