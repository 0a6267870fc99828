// SPDX-License-Identifier: GPL-2.0-or-later
/* account.c - see account.h. */
#include "account.h"

#define STEP 16			/* the factor of no credit, and steps of a doubling */
#define BATCHES 8		/* due for so many doubles the factor */
#define DOUBLINGS 6		/* more credit or debt than that is forgotten */

void p4d_ledger_advance(struct p4d_ledger *l, uint64_t now)
{
	if (l->weights && now > l->now)
		l->due += ((now - l->now) * l->held << 16) / l->weights;
	l->now = now;
}

void p4d_account_want(struct p4d_ledger *l, struct p4d_account *a, uint32_t weight)
{
	if (a->wants)
		return;
	a->wants = true;
	a->weight = weight;
	a->due_from = l->due;
	l->weights += weight;
}

void p4d_account_hold(struct p4d_ledger *l, struct p4d_account *a, uint32_t blocks)
{
	a->blocks = blocks;
	l->held += blocks;
	a->held_from = l->now;
}

void p4d_account_resize(struct p4d_ledger *l, struct p4d_account *a, uint32_t blocks)
{
	uint64_t had = a->blocks * (l->now - a->held_from);

	a->had += had;
	a->credit -= (int64_t)had;
	l->held += blocks - a->blocks;
	a->blocks = blocks;
	a->held_from = l->now;
}

void p4d_account_rest(struct p4d_ledger *l, struct p4d_account *a)
{
	uint64_t due, had = a->blocks * (l->now - a->held_from);
	int64_t most;

	if (!a->wants)
		return;
	due = (l->due - a->due_from) * a->weight >> 16;
	a->mean = a->mean ? (7 * a->mean + due) / 8 : due;
	a->due += due;
	a->had += had;
	a->credit += (int64_t)due - (int64_t)had;
	most = BATCHES * DOUBLINGS * a->mean;
	a->credit = a->credit > most ? most : a->credit < -most ? -most : a->credit;
	l->weights -= a->weight;
	l->held -= a->blocks;
	a->wants = false;
	a->blocks = 0;
}

uint32_t p4d_account_factor(const struct p4d_account *a, uint32_t weight)
{
	int64_t steps = a->mean ? a->credit * STEP / (int64_t)(BATCHES * a->mean) : 0;
	uint32_t up, part;

	steps += DOUBLINGS * STEP;
	if (steps < 0)
		steps = 0;
	if (steps > 2 * DOUBLINGS * STEP)
		steps = 2 * DOUBLINGS * STEP;
	up = steps / STEP;
	part = steps % STEP;
	weight = ((uint64_t)weight * (STEP + part) << up) >> DOUBLINGS;
	return weight ? weight : 1;
}
