// SPDX-License-Identifier: GPL-2.0-or-later
/* reconcile.c - see reconcile.h. */
#include <stdlib.h>
#include <string.h>

#include "epoch.h"
#include "grant.h"
#include "lockcell.h"
#include "locking.h"
#include "out.h"
#include "reconcile.h"

static void raise_epoch(struct p4d_engine *e, const struct p4d_switch_info *info)
{
	for (unsigned int b = 0; b < info->geo.blocks; b++) {
		uint64_t owner = info->owner[b] & P4W_EPOCH_MAX;
		uint64_t serial = info->serial[b] >> P4W_SERIAL_SHIFT;

		p4d_epoch_raise(e, owner > serial ? owner : serial);
	}
}

static bool is_ours(const struct p4d_switch_info *info, const struct p4d_tenant *t)
{
	uint64_t word = p4d_owner_word(t->id, t->cur->epoch);

	p4d_blocks_each(&t->cur->blocks, b)
		if (info->owner[b] != word)
			return false;
	return true;
}

static void lose_grants(struct p4d_engine *e, const struct p4d_switch_info *info, bool restarted)
{
	for (struct p4d_tenant *t = e->tenants; t; t = t->link) {
		if (!t->cur)
			continue;
		if (restarted ? t->cur->state != P4D_GIVING :
		    t->cur->state == P4D_HELD && !is_ours(info, t))
			p4d_grant_lose(e, t);
	}
}

/* The switch was built with another geometry: not even a grant under way can stay. */
static void change_geometry(struct p4d_engine *e, const struct p4d_geometry *geo)
{
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->cur)
			p4d_grant_lose(e, t);
	e->geo = *geo;
	if (p4d_flows_init(&e->flows, geo->flows))
		abort();
}

/* All of them, also if some are on their way: the last answer counts. */
static void issue_take(struct p4d_engine *e)
{
	struct p4d_take take = { .blocks = e->stray };

	take.action = e->stray_action = e->action_next++;
	p4d_out_take(e, &take);
}

static void take_strays(struct p4d_engine *e, const struct p4d_switch_info *info)
{
	memset(&e->stray, 0, sizeof(e->stray));
	for (unsigned int b = 0; b < e->geo.blocks; b++) {
		if (!info->owner[b] || e->owner[b])
			continue;
		p4d_blocks_add(&e->stray, b);
		e->before[b] = P4D_ANYBODY;
	}
	if (p4d_blocks_count(&e->stray))
		issue_take(e);
	else
		p4d_locking_no_cells_before(e);
}

void p4d_reconcile_release(struct p4d_engine *e, const struct p4d_blocks *blocks)
{
	p4d_blocks_each(blocks, b) {
		e->owner[b] = 0;
		p4d_blocks_add(&e->stray, b);
	}
	if (p4d_blocks_count(&e->stray) && p4d_grant_usable(e))
		issue_take(e);
}

void p4d_reconcile_strays_taken(struct p4d_engine *e)
{
	memset(&e->stray, 0, sizeof(e->stray));
	e->stray_action = 0;
	p4d_locking_no_cells_before(e);
}

void p4d_reconcile(struct p4d_engine *e, const struct p4d_switch_info *info)
{
	bool restarted = !e->bound || e->boot != info->boot;

	raise_epoch(e, info);
	lose_grants(e, info, restarted);
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		p4d_lockcell_reconcile(e, t, info, restarted);
	if (memcmp(&e->geo, &info->geo, sizeof(e->geo)))
		change_geometry(e, &info->geo);
	if (restarted)
		memset(e->before, 0, sizeof(e->before));
	e->bound = true;
	e->boot = info->boot;
	e->meta_dirty = true;
	take_strays(e, info);
	p4d_grant_resume(e, restarted);
}
