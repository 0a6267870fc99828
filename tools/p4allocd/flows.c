// SPDX-License-Identifier: GPL-2.0-or-later
/* flows.c - see flows.h. Next fit over a plain array: at most 65536 entries, once a grant. */
#include <errno.h>
#include <stdlib.h>

#include "flows.h"

#define NODE_FLOWS_MAX 4096	/* P4A_A_ALLOC_FLOW_COUNT of the netlink family */
#define NODE_FLOWS_PART 8	/* no node takes more than this part of all */

int p4d_flows_init(struct p4d_flows *f, uint32_t total)
{
	uint32_t *tenant = calloc(total ? total : 1, sizeof(*tenant));

	if (!tenant)
		return -ENOMEM;
	free(f->tenant);
	f->tenant = tenant;
	f->total = total;
	f->next = 0;
	return 0;
}

void p4d_flows_uninit(struct p4d_flows *f)
{
	free(f->tenant);
	f->tenant = NULL;
	f->total = 0;
}

uint32_t p4d_flows_max(const struct p4d_flows *f)
{
	uint32_t part = f->total / NODE_FLOWS_PART;

	return part > NODE_FLOWS_MAX ? NODE_FLOWS_MAX : part ? part : 1;
}

/* Ranges for all nodes: from `start` to the end of the array, then below it. */
static bool fits(const struct p4d_flows *f, uint32_t start, uint32_t each, struct p4d_range *out,
		 uint32_t nodes)
{
	uint32_t run = 0, found = 0;

	for (uint32_t i = 0; i < f->total && found < nodes; i++) {
		uint32_t flow = (start + i) % f->total;

		if (!flow)
			run = 0;
		run = f->tenant[flow] ? 0 : run + 1;
		if (run == each) {
			out[found++] = (struct p4d_range){ flow + 1 - each, each };
			run = 0;
		}
	}
	return found == nodes;
}

bool p4d_flows_claim(struct p4d_flows *f, uint32_t tenant, struct p4d_range range)
{
	if (range.first > f->total || range.count > f->total - range.first)
		return false;
	for (uint32_t i = 0; i < range.count; i++)
		if (f->tenant[range.first + i])
			return false;
	for (uint32_t i = 0; i < range.count; i++)
		f->tenant[range.first + i] = tenant;
	return true;
}

bool p4d_flows_take(struct p4d_flows *f, uint32_t tenant, uint32_t want, struct p4d_range *out,
		    uint32_t nodes)
{
	uint32_t each = want;

	while (each && !fits(f, f->next, each, out, nodes) && !fits(f, 0, each, out, nodes))
		each /= 2;
	for (uint32_t i = 0; each && i < nodes; i++) {
		p4d_flows_claim(f, tenant, out[i]);
		f->next = (out[i].first + each) % f->total;
	}
	return each > 0;
}

void p4d_flows_free(struct p4d_flows *f, uint32_t tenant, const struct p4d_range *ranges,
		    uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < ranges[i].count; k++)
			if (f->tenant[ranges[i].first + k] == tenant)
				f->tenant[ranges[i].first + k] = 0;
}
