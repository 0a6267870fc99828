// SPDX-License-Identifier: GPL-2.0-or-later
/* cellblock.c - see cellblock.h. */
#include "cellblock.h"
#include "epoch.h"
#include "out.h"

#define HOST_FLOWS	16
#define BLOCKS_PART	16		/* of all blocks, that may have cells of locks */

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void p4d_cellblock_give(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_lockcells *l = t->cells;
	struct p4d_give give = {
		.action = l->action = e->action_next++,
		.tenant = t->id,
		.epoch = l->epoch,
	};

	p4d_blocks_add(&give.blocks, l->block);
	give.clear = give.blocks;
	for (unsigned int i = 0; i < l->nr_hosts; i++) {
		l->host[i].action = l->action;
		give.flow[give.nr_flows++] = l->host[i].flow;
	}
	p4d_out_give(e, &give);
}

void p4d_cellblock_take(struct p4d_engine *e, struct p4d_lockcells *l)
{
	struct p4d_take take = { .action = l->action = e->action_next++, .read = true };

	l->state = P4D_BLOCK_TAKING;
	p4d_blocks_add(&take.blocks, l->block);
	p4d_out_take(e, &take);
}

void p4d_cellblock_tell_flows(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_cell_host *h)
{
	const struct p4d_cell_order o = {
		.action = h->action = e->action_next++,
		.verb = P4D_CELL_FLOWS,
		.tenant = t->id,
		.flow = h->flow,
		.epoch = t->cells->epoch,
	};

	p4d_out_cell(e, &o);
}

static bool somebody_waits(const struct p4d_engine *e)
{
	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->next && t->next->waiting_from)
			return true;
	return false;
}

/* The last block that is free, P4W_MAX_BLOCKS: none that could be spared. */
static unsigned int spare_block(const struct p4d_engine *e)
{
	unsigned int most = e->geo.blocks / BLOCKS_PART ? e->geo.blocks / BLOCKS_PART : 1;
	unsigned int b = e->geo.blocks;

	if (e->cell_blocks >= most || e->now < e->cells_barred_until || somebody_waits(e))
		return P4W_MAX_BLOCKS;
	while (b--)
		if (!e->owner[b] && !p4d_blocks_has(&e->stray, b))
			return b;
	return P4W_MAX_BLOCKS;
}

struct p4d_cell_host *p4d_cellblock_add_host(struct p4d_engine *e, struct p4d_tenant *t,
					     in_addr_t addr)
{
	struct p4d_lockcells *l = t->cells;
	struct p4d_cell_host *h = &l->host[l->nr_hosts];

	if (l->nr_hosts == P4W_NODES_MAX ||
	    !p4d_flows_take(&e->flows, t->id, min32(HOST_FLOWS, p4d_flows_max(&e->flows)), &h->flow,
			    1))
		return NULL;
	h->addr = addr;
	l->nr_hosts++;
	return h;
}

bool p4d_cellblock_begin(struct p4d_engine *e, struct p4d_tenant *t, in_addr_t addr)
{
	struct p4d_lockcells *l = t->cells;
	unsigned int b = spare_block(e);

	if (b == P4W_MAX_BLOCKS || !p4d_cellblock_add_host(e, t, addr))
		return false;
	l->state = P4D_BLOCK_GIVING;
	l->block = b;
	l->epoch = p4d_epoch_draw(e);
	e->owner[b] = t->id;
	e->cell_blocks++;
	e->meta_dirty |= !e->cells_out;
	e->cells_out = true;
	p4d_cellblock_give(e, t);
	return true;
}

void p4d_cellblock_end(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_lockcells *l = t->cells;

	for (unsigned int i = 0; i < l->nr_hosts; i++)
		p4d_flows_free(&e->flows, t->id, &l->host[i].flow, 1);
	l->nr_hosts = 0;
	l->state = P4D_BLOCK_NONE;
	l->unwanted = false;
	e->owner[l->block] = 0;
	e->before[l->block] = P4D_ANYBODY;	/* what is in it means nothing to a batch */
	e->cell_blocks--;
	if (!e->cell_blocks && e->lock_grace != UINT64_MAX) {
		e->cells_out = false;
		e->meta_dirty = true;
	}
	e->must_schedule = true;
}
