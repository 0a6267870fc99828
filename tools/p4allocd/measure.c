// SPDX-License-Identifier: GPL-2.0-or-later
/* measure.c - see measure.h. */
#include "measure.h"
#include "out.h"

static void ask(struct p4d_engine *e, const struct p4d_tenant *t)
{
	const struct p4d_batch *b = t->cur;
	struct p4d_count count = { t->id, b->epoch, b->blocks };

	if (b->nr_hist && e->sw == P4D_SWITCH_UP)
		p4d_out_count(e, &count);
}

void p4d_measure_phase(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;

	b->count_at = b->phase == P4W_PHASE_FILLED ? e->now + P4D_MEASURE_US : 0;
	ask(e, t);
}

void p4d_measure_end(struct p4d_engine *e, struct p4d_tenant *t)
{
	if (t->cur->phase == P4W_PHASE_FILLED)
		ask(e, t);
	t->cur->count_at = 0;
}

void p4d_measure_tick(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_batch *b = t->cur;

	if (!b || !b->count_at || e->now < b->count_at)
		return;
	b->count_at = e->now + P4D_MEASURE_US;
	ask(e, t);
}

/* The first answer of a batch is of its filling. */
void p4d_measure_counted(struct p4d_tenant *t, const uint64_t *seen)
{
	struct p4d_batch *b = t->cur;

	if (b->counting)
		p4d_check_learn(&t->check, b->hist, b->nr_hist, seen,
				p4d_blocks_count(&b->blocks));
	b->counting = true;
}
