// SPDX-License-Identifier: GPL-2.0-or-later
/* heap.c - see heap.h. A binary heap in an array. */
#include <stdlib.h>

#include "heap.h"

static bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->key != b->key ? a->key < b->key : a->serial < b->serial;
}

int heap_push(struct heap *h, double key, uint64_t serial, void *value)
{
	const struct heap_entry e = { key, serial, value };
	struct heap_entry *entry;
	size_t at = h->nr, up;

	if (h->nr == h->room) {
		size_t room = h->room ? 2 * h->room : 64;

		entry = realloc(h->entry, room * sizeof(*entry));
		if (!entry)
			return -1;
		h->entry = entry;
		h->room = room;
	}
	h->nr++;
	for (; at && is_before(&e, &h->entry[up = (at - 1) / 2]); at = up)
		h->entry[at] = h->entry[up];
	h->entry[at] = e;
	return 0;
}

bool heap_pop(struct heap *h, struct heap_entry *first)
{
	struct heap_entry last;
	size_t at = 0, down;

	if (!h->nr)
		return false;
	*first = h->entry[0];
	last = h->entry[--h->nr];
	while ((down = 2 * at + 1) < h->nr) {
		if (down + 1 < h->nr && is_before(&h->entry[down + 1], &h->entry[down]))
			down++;
		if (!is_before(&h->entry[down], &last))
			break;
		h->entry[at] = h->entry[down];
		at = down;
	}
	h->entry[at] = last;
	return true;
}

void heap_free(struct heap *h)
{
	free(h->entry);
	*h = (struct heap){};
}
