// SPDX-License-Identifier: GPL-2.0-or-later
/* backlog.c - see backlog.h. */
#include "backlog.h"

void backlog_add(struct backlog *b, double t, double bytes)
{
	b->n++;
	b->sum_t += t;
	b->sum_b += bytes;
	b->sum_tt += t * t;
	b->sum_tb += t * bytes;
}

double backlog_growth(const struct backlog *b)
{
	double spread = b->n * b->sum_tt - b->sum_t * b->sum_t;

	return spread > 0 ? (b->n * b->sum_tb - b->sum_t * b->sum_b) / spread : 0;
}
