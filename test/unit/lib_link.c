// SPDX-License-Identifier: GPL-2.0-or-later
/* lib_link.c - see lib_link.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib_link.h"

static struct world *w;
static struct { uint64_t number; struct link *to; uint64_t cookie; bool answered; } rpc[WORLD_ANSWERS];

struct link *link_of(struct p4a_io *io)
{
	return (struct link *)io;
}

void link_put(struct link *l, uint64_t cookie, int err, const void *bytes, size_t len)
{
	assert_true(l->events < LINK_EVENTS);
	l->event[l->events].cookie = cookie;
	l->event[l->events].err = err;
	l->event[l->events].len = len;
	l->event[l->events++].bytes = len ? memcpy(malloc(len), bytes, len) : NULL;
}

/* A test may also have sent the message itself. */
static void on_answer(struct world *from, uint64_t number, const void *bytes, size_t len)
{
	unsigned int at = number % WORLD_ANSWERS;

	if (rpc[at].number != number)
		return;
	assert_false(rpc[at].answered);
	rpc[at].answered = true;
	if (rpc[at].to)
		link_put(rpc[at].to, rpc[at].cookie, 0, bytes, len);
}

void links_begin(struct world *world)
{
	w = world;
	w->on_answer = on_answer;
	memset(rpc, 0, sizeof(rpc));
}

void links_break(void)
{
	for (unsigned int i = 0; i < WORLD_ANSWERS; i++) {
		if (rpc[i].to && !rpc[i].answered)
			link_put(rpc[i].to, rpc[i].cookie, -ETIMEDOUT, NULL, 0);
		rpc[i].to = NULL;
	}
}

struct link *link_open(const struct p4a_io_ops *ops, unsigned int node, unsigned int nodes,
		       const struct p4a_geometry *geo)
{
	struct p4a_options opts = {
		.tenant = 1, .node = node, .nodes = nodes, .depth = 8, .timeout_us = 1000000,
	};
	struct link *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->io.ops = ops;
	l->node = node;
	assert_int_equal(p4a_ctx_new(&l->ctx, &opts, &l->io, geo, P4A_HOT, "", NULL), 0);
	return l;
}

int link_send_msg(struct p4a_io *io, uint64_t cookie, const void *msg, uint32_t len)
{
	unsigned int at = (w->rpc + 1) % WORLD_ANSWERS;

	rpc[at].number = w->rpc + 1;
	rpc[at].to = link_of(io);
	rpc[at].cookie = cookie;
	rpc[at].answered = false;
	world_send_bytes(w, 1, msg, len);
	return 0;
}

static void free_lent(struct link *l)
{
	while (l->nr_lent)
		free(l->lent[--l->nr_lent]);
}

int link_reap(struct p4a_io *io, struct p4a_io_event *ev, unsigned int max, int64_t timeout_us)
{
	struct link *l = link_of(io);
	uint64_t end = w->now + (timeout_us < 0 ? 60000000 : timeout_us);
	unsigned int n;

	free_lent(l);
	for (world_settle(w); !l->events && w->now < end; )
		world_sleep(w, end - w->now < LINK_STEP ? end - w->now : LINK_STEP);
	if (!l->events && timeout_us < 0)
		fail_msg("waits for ever");
	for (n = 0; n < max && n < l->events; n++) {
		ev[n] = (struct p4a_io_event) {
			.cookie = l->event[n].cookie, .err = l->event[n].err,
			.len = l->event[n].len, .data = l->event[n].bytes,
		};
		l->lent[l->nr_lent++] = l->event[n].bytes;
	}
	memmove(l->event, l->event + n, (l->events -= n) * sizeof(l->event[0]));
	return n;
}

uint64_t link_now_us(struct p4a_io *io)
{
	return w->now;
}

int link_fd(struct p4a_io *io)
{
	return -1;
}

void link_close(struct p4a_io *io)
{
	struct link *l = link_of(io);

	for (unsigned int i = 0; i < WORLD_ANSWERS; i++)
		if (rpc[i].to == l)
			rpc[i].to = NULL;
	free_lent(l);
	while (l->events)
		free(l->event[--l->events].bytes);
	free(l);
}
