// SPDX-License-Identifier: GPL-2.0-or-later
/* history.c - see history.h. Columns (tenants) are few: a sorted array, found by bisection. */
#include <stdlib.h>
#include <string.h>

#include "history.h"

struct change {
	uint64_t us;
	uint32_t tenant;
	uint32_t blocks;
};

struct column {
	uint32_t tenant;
	uint32_t base;		/* blocks before the oldest change in the ring */
	uint32_t now;		/* blocks after the newest one */
};

struct p4d_history {
	uint64_t total;		/* changes ever; the ring holds the last P4D_HISTORY of them */
	uint64_t base_us;	/* when the base became true */
	struct column *columns;
	size_t nr_columns;
	struct change ring[P4D_HISTORY];
};

struct p4d_history *p4d_history_create(void)
{
	return calloc(1, sizeof(struct p4d_history));
}

void p4d_history_destroy(struct p4d_history *h)
{
	if (h)
		free(h->columns);
	free(h);
}

static size_t column_place(const struct p4d_history *h, uint32_t tenant)
{
	size_t lo = 0, hi = h->nr_columns;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (h->columns[mid].tenant < tenant)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct column *column_of(struct p4d_history *h, uint32_t tenant)
{
	size_t at = column_place(h, tenant);
	struct column *grown;

	if (at < h->nr_columns && h->columns[at].tenant == tenant)
		return &h->columns[at];
	grown = realloc(h->columns, (h->nr_columns + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	h->columns = grown;
	memmove(grown + at + 1, grown + at, (h->nr_columns - at) * sizeof(*grown));
	grown[at] = (struct column){ .tenant = tenant };
	h->nr_columns++;
	return &grown[at];
}

static uint64_t oldest(const struct p4d_history *h)
{
	return h->total > P4D_HISTORY ? h->total - P4D_HISTORY : 0;
}

void p4d_history_record(struct p4d_history *h, uint64_t now_us, uint32_t tenant, uint32_t blocks)
{
	struct change *c = &h->ring[h->total % P4D_HISTORY];
	struct column *col = column_of(h, tenant);

	if (!col || col->now == blocks)
		return;
	if (h->total >= P4D_HISTORY) {
		h->columns[column_place(h, c->tenant)].base = c->blocks;
		h->base_us = c->us;
	}
	*c = (struct change){ now_us, tenant, blocks };
	col->now = blocks;
	h->total++;
}

uint64_t p4d_history_dropped(const struct p4d_history *h)
{
	return oldest(h);
}

size_t p4d_history_tenants(const struct p4d_history *h, uint32_t *out, size_t max)
{
	for (size_t i = 0; i < h->nr_columns && i < max; i++)
		out[i] = h->columns[i].tenant;
	return h->nr_columns;
}

void p4d_history_walk(const struct p4d_history *h, uint64_t since_us,
		      bool (*row)(void *arg, uint64_t us, const uint32_t *blocks, size_t n),
		      void *arg)
{
	uint32_t *blocks = calloc(h->nr_columns + 1, sizeof(*blocks));
	uint64_t i = oldest(h);
	bool on;

	if (!blocks)
		return;
	for (size_t c = 0; c < h->nr_columns; c++)
		blocks[c] = h->columns[c].base;
	for (; i < h->total && h->ring[i % P4D_HISTORY].us <= since_us; i++)
		blocks[column_place(h, h->ring[i % P4D_HISTORY].tenant)] =
			h->ring[i % P4D_HISTORY].blocks;
	on = row(arg, since_us > h->base_us ? since_us : h->base_us, blocks, h->nr_columns);
	for (; on && i < h->total; i++) {
		const struct change *c = &h->ring[i % P4D_HISTORY];

		blocks[column_place(h, c->tenant)] = c->blocks;
		on = row(arg, c->us, blocks, h->nr_columns);
	}
	free(blocks);
}
