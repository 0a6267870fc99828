// SPDX-License-Identifier: GPL-2.0-or-later
/* waits.c - see waits.h. */
#include <stdlib.h>
#include <string.h>

#include "waits.h"

bool p4d_waits(const struct p4d_tenant *t)
{
	return t->holding[P4D_HOLD_GRANT];
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

uint32_t p4d_waits_quantile(const struct p4d_tenant *t, unsigned int percent)
{
	size_t n = t->nr_waits < P4D_WAITS ? t->nr_waits : P4D_WAITS;
	uint32_t sorted[P4D_WAITS];

	if (!n)
		return 0;
	memcpy(sorted, t->wait_us, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare);
	return sorted[(n - 1) * percent / 100];
}

uint64_t p4d_waits_block_us(const struct p4d_tenant *t, uint64_t now)
{
	const struct p4d_batch *b = t->cur;
	uint64_t us = t->counter[P4D_C_block_us];

	if (b && b->granted_at && now > b->granted_at)
		us += (now - b->granted_at) * p4d_blocks_count(&b->blocks);
	return us;
}
