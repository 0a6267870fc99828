/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows.h - who uses which flow entries of the switch.
 *
 * A tenant's ranges are disjoint from everybody's, and stay until the whole tenant lets go: a late
 * packet of a node must never find its flow number under another user.
 *
 * Entries that have just come free are taken again last. A node whose lease has ended may still
 * repeat a transaction whose reply was lost, and only the entry knows that it has committed.
 */
#ifndef P4D_FLOWS_H
#define P4D_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

struct p4d_range {
	uint32_t first;
	uint32_t count;
};

struct p4d_flows {
	uint32_t total;
	uint32_t next;		/* behind the last one taken: the search begins here */
	uint32_t *tenant;	/* of each flow, 0: free */
};

/* 0 or -ENOMEM. May be called again: all flows are free then. */
int p4d_flows_init(struct p4d_flows *f, uint32_t total);
void p4d_flows_uninit(struct p4d_flows *f);

/* Most that one node may ask for. */
uint32_t p4d_flows_max(const struct p4d_flows *f);

/*
 * `nodes` ranges of equal size for a tenant: `want` each, fewer (at least 1) if they are short.
 * False, nothing taken: not even 1 for each node.
 */
bool p4d_flows_take(struct p4d_flows *f, uint32_t tenant, uint32_t want, struct p4d_range *out,
		    uint32_t nodes);

/* Takes a range that the tenant is known to have, after a restart. False: it is not free. */
bool p4d_flows_claim(struct p4d_flows *f, uint32_t tenant, struct p4d_range range);

/* What the tenant has of these ranges. */
void p4d_flows_free(struct p4d_flows *f, uint32_t tenant, const struct p4d_range *ranges,
		    uint32_t n);

#endif /* P4D_FLOWS_H */
