/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backlog.h - does a backlog grow? A straight line through all looks at it, by least squares: its
 * two ends alone would tell more of the messages that happen to be under way then.
 */
#ifndef RACK_BACKLOG_H
#define RACK_BACKLOG_H

struct backlog {
	double n, sum_t, sum_b, sum_tt, sum_tb;
};

void backlog_add(struct backlog *b, double t, double bytes);

/* By how many bytes the line rises in a unit of `t`; 0 with less than two different t. */
double backlog_growth(const struct backlog *b);

#endif /* RACK_BACKLOG_H */
