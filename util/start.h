/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.h - what keys hold before anything was done to them, by what the keys are for. */
#ifndef START_H
#define START_H

#include <stdint.h>

enum start {
	START_MIXED = 0,		/* something else for each key, never 0 */
	START_BANK = 1,			/* accounts: see bank.h */
	START_ORDERS = 2,		/* warehouses: see orders.h */
	START_KINDS,
};

uint32_t start_value(enum start start, uint32_t keys, uint32_t key);
const char *start_name(enum start start);	/* "mixed", "bank", "orders" */

#endif /* START_H */
