/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * switch.h - a back end: how a kind of switch is told who owns which block.
 *
 * Verbs are done in order of calls, completely or not at all, and may be repeated. While the switch
 * is away they are dropped: the engine issues them again after up(), but for counts. What up() says
 * is what is there after all that was said before, by us or by one who was killed: none of that may
 * be done later. Events come from the loop, never from inside a call.
 */
#ifndef P4D_SWITCH_H
#define P4D_SWITCH_H

#include "engine.h"

struct p4d_loop;

struct p4d_switch_events {
	void *arg;
	void (*up)(void *arg, const struct p4d_switch_info *info);
	void (*down)(void *arg, const char *why);
	void (*given)(void *arg, uint64_t action);
	void (*serial)(void *arg, uint64_t next);	/* of fenced blocks, before taken() */
	void (*taken)(void *arg, uint64_t action, const uint32_t *cells);
	void (*counted)(void *arg, const struct p4d_count *count, const uint64_t *seen);
	/* With a count: lock bits of the grant that no packet holds. */
	void (*stuck)(void *arg, const struct p4d_count *count, uint64_t bits);
	void (*celled)(void *arg, uint64_t action, const uint32_t *value);	/* NULL: not a CLOSE */
	/*
	 * Said with each command: the switch refuses those of a lower term than it has ever heard, so
	 * that a late word of an allocator that was deposed does nothing. 0: said with none.
	 */
	uint64_t term;
};

struct p4d_switch_ops {
	const char *name;
	void *(*open)(struct p4d_loop *loop, const char *path,
		      const struct p4d_switch_events *events);
	void (*give)(void *sw, const struct p4d_give *give);
	void (*take)(void *sw, const struct p4d_take *take);
	void (*count)(void *sw, const struct p4d_count *count);
	void (*cell)(void *sw, const struct p4d_cell_order *order);
	void (*close)(void *sw);
};

extern const struct p4d_switch_ops p4d_switch_soft;	/* control socket of p4switch */

#endif /* P4D_SWITCH_H */
