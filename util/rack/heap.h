/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heap.h - what comes first of many, by a key; those of one key in the order in which they came. */
#ifndef RACK_HEAP_H
#define RACK_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_entry {
	double key;
	uint64_t serial;
	void *value;
};

/* All zero: empty. */
struct heap {
	struct heap_entry *entry;
	size_t nr, room;
};

int heap_push(struct heap *h, double key, uint64_t serial, void *value);	/* -1: no memory */
bool heap_pop(struct heap *h, struct heap_entry *e);
void heap_free(struct heap *h);

#endif /* RACK_HEAP_H */
