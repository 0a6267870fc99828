// SPDX-License-Identifier: GPL-2.0-or-later
/* epoch.c - see epoch.h. */
#include "epoch.h"

#define CHUNK 1024		/* epochs reserved in the store at a time */
#define BEFORE_US 10000000	/* that a grant may have been held before the allocator restarted */
#define TXNS_PER_US 1000	/* of one tenant, at most: no port of a switch takes more packets */

uint64_t p4d_epoch_draw(struct p4d_engine *e)
{
	if (e->epoch_next >= e->epoch_limit) {
		e->epoch_limit = e->epoch_next + CHUNK;
		e->meta_dirty = true;
	}
	return e->epoch_next++;
}

void p4d_epoch_raise(struct p4d_engine *e, uint64_t epoch)
{
	/* No switch ever counts so far: the word is damaged, and would use up all epochs. */
	if (epoch < e->epoch_next || epoch > P4W_EPOCH_MAX / 2)
		return;
	e->epoch_next = epoch + 1;
	if (e->epoch_next <= e->epoch_limit)
		return;
	e->epoch_limit = e->epoch_next;
	e->meta_dirty = true;
}

void p4d_epoch_lost(struct p4d_engine *e, const struct p4d_batch *b)
{
	uint64_t held_us = b->granted_at ? e->now - b->granted_at : 0;

	if (b->epoch < e->epoch_first)
		held_us += BEFORE_US;
	p4d_epoch_raise(e, b->epoch + (held_us * TXNS_PER_US >> P4W_SERIAL_SHIFT));
}

void p4d_engine_serial(struct p4d_engine *e, uint64_t next)
{
	p4d_epoch_raise(e, next >> P4W_SERIAL_SHIFT);
}
