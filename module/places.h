/* SPDX-License-Identifier: GPL-2.0 */
/*
 * places.h - which of the messages that wait for grants are granted at a time, and in which order.
 *
 * A budget has max_overcommit places. Ranks: tenants by weight (shares.c); of a tenant's messages
 * the one with the fewest bytes to come first. A peer gets a second place only if no peer with
 * waiting messages has none, because its uplink is one. So the waiting messages of a peer (of one
 * tenant) are a flow, and flows are ordered by their best message: choosing looks at no more flows
 * than there are places.
 *
 * grants->lock in all of this, see grant.c.
 */
#ifndef P4HOMA_PLACES_H
#define P4HOMA_PLACES_H

#include <linux/types.h>

struct homa_budget;
struct homa_grant;
struct homa_grant_flow;
struct homa_rpc;

/* The flow that a message of `rpc` to us belongs to; NULL: no memory. */
struct homa_grant_flow *homa_flow_join(struct homa_budget *b, struct homa_rpc *rpc);
void homa_flow_leave(struct homa_budget *b, struct homa_grant *g);
void homa_flow_charge(struct homa_budget *b, struct homa_grant_flow *flow, u32 bytes);

/* Where a message waits depends on the bytes to come, which change only while it does not wait. */
void homa_place_wait(struct homa_budget *b, struct homa_grant *g);
void homa_place_stop_waiting(struct homa_budget *b, struct homa_grant *g);
void homa_place_give(struct homa_budget *b, struct homa_grant *g);
void homa_place_take(struct homa_budget *b, struct homa_grant *g);

/* The waiting message that is next: of a peer without a place, else of one with the fewest. */
struct homa_grant *homa_place_next(const struct homa_budget *b);
/* A waiting message has come, or has fewer bytes to come than before: may it have another's place? */
void homa_place_compete(struct homa_budget *b, struct homa_grant *g);
void homa_places_fill(struct homa_budget *b);
void homa_places_sort(struct homa_budget *b);

#endif /* P4HOMA_PLACES_H */
