/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recent.h - whether something was a short time ago, in jiffies, however long ago it may have been.
 *
 * Where jiffies have 32 bits, time_before() and time_after() take what was half of their range ago, some
 * weeks, for something to come, and go on so for as many weeks. So the age is what is looked at; only
 * once in a whole range does what is old look recent, for a moment. Pure.
 */
#ifndef P4HOMA_RECENT_H
#define P4HOMA_RECENT_H

#include <linux/types.h>

/* Plus one, which keeps the order: another CPU may already have seen the next jiffy. */
static inline unsigned long homa_age(unsigned long at, unsigned long now)
{
	return now + 1 - at;
}

/* Less than `ticks` ago. `at`: jiffies | 1, or 0, never. */
static inline bool homa_is_recent(unsigned long at, unsigned long now, unsigned long ticks)
{
	return at && homa_age(at, now) <= ticks;
}

#endif /* P4HOMA_RECENT_H */
