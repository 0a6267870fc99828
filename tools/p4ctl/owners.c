// SPDX-License-Identifier: GPL-2.0-or-later
/* owners.c - see owners.h */
#include <string.h>

#include "owners.h"

static struct owner *find(struct owner *owners, unsigned int count, uint32_t tenant, uint64_t epoch)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (owners[i].tenant == tenant && owners[i].epoch == epoch)
			break;
	return &owners[i];
}

unsigned int owners_group(const uint64_t *words, size_t n, struct owner *owners)
{
	unsigned int count = 0;
	struct owner *o;
	size_t b;

	for (b = 0; b < n; b++) {
		uint32_t tenant = words[b] >> P4W_EPOCH_BITS;
		uint64_t epoch = words[b] & P4W_EPOCH_MAX;

		o = find(owners, count, tenant, epoch);
		if (o == &owners[count]) {
			memset(o, 0, sizeof(*o));
			o->tenant = tenant;
			o->epoch = epoch;
			o->home = b;
			count++;
		}
		o->bitmap[b / 8] |= 1u << (b % 8);
	}
	return count;
}
