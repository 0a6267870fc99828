/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.h - one thread waits here for descriptors (epoll) and for times (one timerfd).
 *
 * A watch or timer belongs to who registered it and must outlive its registration. A callback may
 * add and remove any, itself included.
 */
#ifndef P4D_LOOP_H
#define P4D_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct p4d_loop;

struct p4d_watch {
	int fd;
	void (*ready)(struct p4d_watch *w, uint32_t events);	/* EPOLLIN ... */
};

struct p4d_timer {
	uint64_t at;		/* p4d_now() at which it is due; UINT64_MAX: never */
	void (*due)(struct p4d_timer *t);
	struct p4d_timer *link;
};

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t p4d_now(void);

struct p4d_loop *p4d_loop_create(void);		/* NULL, errno */
void p4d_loop_destroy(struct p4d_loop *loop);

/* Adds it, or changes its events. */
int p4d_loop_watch(struct p4d_loop *loop, struct p4d_watch *w, uint32_t events);
void p4d_loop_unwatch(struct p4d_loop *loop, struct p4d_watch *w);	/* before fd is closed */
/* Once a timer; then change t->at. */
void p4d_loop_timer(struct p4d_loop *loop, struct p4d_timer *t);

/*
 * A connection of this listening socket, non-blocking; or -1. If there are no descriptors left, it is closed
 * at once: one that stayed in the queue would wake the loop for ever.
 */
int p4d_loop_accept(struct p4d_loop *loop, int listening);

/* Runs until p4d_loop_stop(). `after` is called when the callbacks of one wake-up are through. */
int p4d_loop_run(struct p4d_loop *loop, void (*after)(void *arg), void *arg);
void p4d_loop_stop(struct p4d_loop *loop);

#endif /* P4D_LOOP_H */
