// SPDX-License-Identifier: GPL-2.0-or-later
/* loop.c - see loop.h. Timers are few: the earliest is looked for before each sleep. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define EVENTS 32

struct p4d_loop {
	int epoll;
	int timerfd;
	int spare;		/* of nothing, for p4d_loop_accept() */
	bool stopped;
	struct p4d_timer *timers;
	uint64_t armed;		/* when the timerfd will fire, or has */
	struct epoll_event events[EVENTS];
	int nr_events;		/* of the wake-up that is being worked on */
};

uint64_t p4d_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

struct p4d_loop *p4d_loop_create(void)
{
	struct p4d_loop *loop = calloc(1, sizeof(*loop));
	struct epoll_event ev = { .events = EPOLLIN };

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	loop->spare = open("/dev/null", O_CLOEXEC);
	if (loop->epoll >= 0 && loop->timerfd >= 0 &&
	    !epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->timerfd, &ev))
		return loop;
	p4d_loop_destroy(loop);
	return NULL;
}

void p4d_loop_destroy(struct p4d_loop *loop)
{
	if (loop->timerfd >= 0)
		close(loop->timerfd);
	if (loop->epoll >= 0)
		close(loop->epoll);
	if (loop->spare >= 0)
		close(loop->spare);
	free(loop);
}

int p4d_loop_watch(struct p4d_loop *loop, struct p4d_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (!epoll_ctl(loop->epoll, EPOLL_CTL_MOD, w->fd, &ev))
		return 0;
	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, w->fd, &ev) ? -errno : 0;
}

/* The watch may be freed after this: events of it that are already here must be forgotten. */
void p4d_loop_unwatch(struct p4d_loop *loop, struct p4d_watch *w)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = 0; i < loop->nr_events; i++)
		if (loop->events[i].data.ptr == w)
			loop->events[i].data.ptr = NULL;
}

void p4d_loop_timer(struct p4d_loop *loop, struct p4d_timer *t)
{
	t->link = loop->timers;
	loop->timers = t;
}

int p4d_loop_accept(struct p4d_loop *loop, int listening)
{
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || loop->spare < 0)
		return fd;
	close(loop->spare);
	fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	loop->spare = open("/dev/null", O_CLOEXEC);
	return -1;
}

static void run_timers(struct p4d_loop *loop)
{
	uint64_t now = p4d_now();

	for (struct p4d_timer *t = loop->timers; t; t = t->link) {
		if (t->at > now)
			continue;
		t->at = UINT64_MAX;
		t->due(t);
	}
}

static void arm(struct p4d_loop *loop)
{
	struct itimerspec when = { 0 };
	uint64_t at = UINT64_MAX;

	for (struct p4d_timer *t = loop->timers; t; t = t->link)
		if (t->at < at)
			at = t->at;
	/* Firing too early costs a look at the timers; this call costs as much for each message. */
	if (at >= loop->armed && p4d_now() < loop->armed)
		return;
	loop->armed = at;
	if (at != UINT64_MAX) {
		at = at ? at : 1;	/* 0 would disarm */
		when.it_value.tv_sec = at / 1000000;
		when.it_value.tv_nsec = at % 1000000 * 1000;
	}
	timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &when, NULL);
}

int p4d_loop_run(struct p4d_loop *loop, void (*after)(void *arg), void *arg)
{
	loop->stopped = false;
	while (!loop->stopped) {
		arm(loop);
		loop->nr_events = epoll_wait(loop->epoll, loop->events, EVENTS, -1);
		if (loop->nr_events < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < loop->nr_events; i++) {
			struct p4d_watch *w = loop->events[i].data.ptr;

			if (w)
				w->ready(w, loop->events[i].events);
		}
		loop->nr_events = 0;
		run_timers(loop);
		after(arg);
	}
	return 0;
}

void p4d_loop_stop(struct p4d_loop *loop)
{
	loop->stopped = true;
}
