// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzz_good.c - see fuzz_good.h. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_good.h"

#define DURATION_US 150000
#define KEYS 8

enum state { HELLO, FETCH, ASK, WAIT, LIST, FILL, RESIZE, RESIZED, RUN, LOCK, UNLOCK, FINISH };

struct node {
	uint32_t tenant;
	uint16_t id;
	enum state state;
	uint64_t rpc;			/* that it waits for, 0: none */
	uint64_t asked_at;
	uint32_t batch, fetched, blocks;
	uint64_t owner, token;		/* of the lock */
	unsigned int finished;
	uint8_t last[256];		/* as it was sent, for a repeat */
	size_t last_len;
};

struct good {
	struct world *w;
	struct node node[GOOD_TENANTS * GOOD_NODES];
	uint64_t owner;			/* of the last hold */
	uint64_t longest_wait;
	bool rough;
};

/* ---------------------------------------------------------------------------------- saying */

static void transmit(struct good *g, struct node *n, const void *bytes, size_t len)
{
	assert_true(len <= sizeof(n->last));
	if (n->last != bytes)
		memcpy(n->last, bytes, n->last_len = len);
	n->rpc = g->w->rpc + 1;		/* the answer may come before this returns */
	world_send_bytes(g->w, n->tenant, bytes, len);
}

static struct p4w_msg head(const struct node *n, uint8_t type, size_t len, uint32_t batch,
			   uint32_t code)
{
	return (struct p4w_msg){ P4W_VERSION, type, htons(len), htons(n->id), htons(GOOD_NODES),
				 htonl(batch), htonl(code) };
}

static void say(struct good *g, struct node *n, uint8_t type, uint32_t batch, uint32_t code)
{
	struct p4w_msg m = head(n, type, sizeof(m), batch, code);

	transmit(g, n, &m, sizeof(m));
}

static void ask(struct good *g, struct node *n)
{
	struct {
		struct p4w_request m;
		uint16_t hist[4];
	} __attribute__((packed)) msg = {
		.m = {
			.msg = head(n, P4W_REQUEST, sizeof(msg), n->batch, 0),
			.duration_us = htonl(DURATION_US), .min_blocks = htons(1),
			.want_blocks = htons(4), .flows = htonl(4), .nr_hist = htons(4),
			.together = htons(n->batch % 9),
		},
		.hist = { htons(30000), htons(20000), htons(10000), htons(5000) },
	};

	n->asked_at = g->w->now;
	transmit(g, n, &msg, sizeof(msg));
}

static void list_keys(struct good *g, struct node *n)
{
	struct {
		struct p4w_lock_info m;
		struct p4w_lock_key key[KEYS];
	} __attribute__((packed)) msg = {
		.m = { .msg = head(n, P4W_LOCK_INFO, sizeof(msg), n->batch, 0), .nr_keys = htons(KEYS) },
	};

	for (unsigned int i = 0; i < KEYS; i++)
		msg.key[i] = (struct p4w_lock_key){ htobe64((n->id + 1) * (i + 1)), htonl(i + 1) };
	transmit(g, n, &msg, sizeof(msg));
}

static void resize(struct good *g, struct node *n, enum p4w_resize_step step)
{
	struct p4w_resize m = { head(n, P4W_RESIZE, sizeof(m), n->batch, step),
				htons(1 + n->batch % 6), htons(1) };

	transmit(g, n, &m, sizeof(m));
}

static void lock(struct good *g, struct node *n, uint8_t type)
{
	bool takes = type == P4W_LOCK;
	struct p4w_lock m = {
		.msg = head(n, type, sizeof(m), 0, takes ? P4W_LOCK_EXCLUSIVE : 0),
		.owner = htobe64(takes ? ++g->owner : n->owner), .token = htobe64(n->token),
		.lease_us = htonl(takes ? DURATION_US : 0),
		.wait_us = htonl(takes ? P4W_DURATION_MAX_US : 0), .name = "good",
	};

	n->owner = be64toh(m.owner);
	transmit(g, n, &m, sizeof(m));
}

void good_act(struct good *g, uint32_t any)
{
	struct node *n = &g->node[any % (GOOD_TENANTS * GOOD_NODES)];

	if (n->rpc)
		return;
	switch (n->state) {
	case HELLO:
		say(g, n, P4W_HELLO, 0, 0);
		break;
	case FETCH:
		say(g, n, P4W_FETCH, P4W_BATCH_MAX, n->fetched);
		break;
	case ASK:
		ask(g, n);
		break;
	case WAIT:
		say(g, n, P4W_WAIT, n->batch, 0);
		break;
	case LIST:
		list_keys(g, n);
		break;
	case FILL:
		say(g, n, P4W_SYNC, n->batch, P4W_PHASE_FILLED);
		break;
	case RESIZE:
		resize(g, n, P4W_RESIZE_ASK);
		break;
	case RESIZED:
		resize(g, n, P4W_RESIZE_READY);
		break;
	case RUN:
		say(g, n, P4W_SYNC, n->batch, P4W_PHASE_RAN);
		break;
	case FINISH:
		say(g, n, P4W_DONE, n->batch, 0);
		break;
	case LOCK:
		n->token = 0;
		lock(g, n, P4W_LOCK);
		break;
	case UNLOCK:
		lock(g, n, P4W_UNLOCK);
		break;
	}
}

/* ----------------------------------------------------------------------------------- hearing */

static void on_granted(struct good *g, struct node *n, const struct p4w_granted *m)
{
	uint64_t word = p4d_owner_word(n->tenant, be64toh(m->epoch));
	struct p4d_blocks blocks;

	assert_int_equal(ntohl(m->msg.batch), n->batch);
	assert_in_range(ntohl(m->flow_count), 1, 4);	/* others may have nearly all */
	p4d_blocks_from_wire(&blocks, m->bitmap);
	n->blocks = p4d_blocks_count(&blocks);
	assert_int_equal(n->blocks, ntohs(m->nr_blocks));
	assert_in_range(n->blocks, 1, 4);
	p4d_blocks_each(&blocks, b)
		if (g->w->connected)
			assert_int_equal(g->w->owner[b], word);
	if (g->w->now - n->asked_at > g->longest_wait)
		g->longest_wait = g->w->now - n->asked_at;
	n->state = LIST;
}

static void on_synced(struct node *n)
{
	if (n->state == FILL)
		n->state = n->batch % 2 ? RESIZE : RUN;
	else
		n->state = FINISH;
}

static void on_resized(struct node *n, const struct p4w_resized *m)
{
	n->state = n->state == RESIZE && ntohs(m->nr_blocks) != n->blocks ? RESIZED : RUN;
	n->blocks = ntohs(m->nr_blocks);
}

static void on_welcome(struct node *n, const struct p4w_welcome *m)
{
	n->batch = ntohl(m->msg.batch);
	n->fetched = 0;
	n->state = ntohl(m->escrow) ? FETCH : ASK;
}

static void on_escrow(struct node *n, const struct p4w_escrow *m)
{
	assert_int_equal(ntohl(m->first), n->fetched);
	n->fetched += ntohl(m->count);
	if (!ntohl(m->count))		/* the answer to "I have them all" */
		n->state = ASK;
}

static void on_refused(struct good *g, struct node *n, const struct p4w_refused *m)
{
	uint32_t code = ntohl(m->msg.code);

	if (!g->rough || (code != P4W_REFUSED_EXPIRED && code != P4W_REFUSED_ORDER &&
			  code != P4W_REFUSED_SWITCH && code != P4W_REFUSED_BUSY))
		fail_msg("tenant %u, state %d, is refused: %u %s %s", n->tenant, n->state, code,
			 m->field, m->text);
	if (n->state != LOCK && n->state != UNLOCK)
		n->state = HELLO;
	else if (code == P4W_REFUSED_EXPIRED)
		n->state = ASK;
}

static void on_freed(struct node *n)
{
	n->finished++;
	n->batch++;
	n->state = n->finished % 4 ? ASK : LOCK;
}

static void hear(struct good *g, struct node *n, const void *bytes)
{
	const struct p4w_msg *m = bytes;

	switch (m->type) {
	case P4W_WELCOME:
		on_welcome(n, bytes);
		break;
	case P4W_ESCROW:
		on_escrow(n, bytes);
		break;
	case P4W_RESERVED:
		n->state = WAIT;
		break;
	case P4W_GRANTED:
		on_granted(g, n, bytes);
		break;
	case P4W_LOCKS:
		n->state = FILL;
		break;
	case P4W_SYNCED:
		on_synced(n);
		break;
	case P4W_RESIZED:
		on_resized(n, bytes);
		break;
	case P4W_FREED:
		on_freed(n);
		break;
	case P4W_LOCKED:
		n->token = be64toh(((const struct p4w_locked *)m)->token);
		n->state = UNLOCK;
		break;
	case P4W_UNLOCKED:
		n->state = ASK;
		break;
	case P4W_REFUSED:
		on_refused(g, n, bytes);
		break;
	default:
		fail_msg("answer of type %u", m->type);
	}
}

static bool is_due(enum state state, uint8_t type)
{
	static const uint8_t due[][2] = {
		[HELLO] = { P4W_WELCOME }, [FETCH] = { P4W_ESCROW },
		[ASK] = { P4W_RESERVED, P4W_GRANTED }, [WAIT] = { P4W_GRANTED },
		[LIST] = { P4W_LOCKS }, [FILL] = { P4W_SYNCED }, [RESIZE] = { P4W_RESIZED },
		[RESIZED] = { P4W_RESIZED }, [RUN] = { P4W_SYNCED }, [LOCK] = { P4W_LOCKED },
		[UNLOCK] = { P4W_UNLOCKED }, [FINISH] = { P4W_FREED },
	};

	return type == P4W_REFUSED || type == due[state][0] || type == due[state][1];
}

bool good_answer(struct good *g, uint64_t rpc, const void *bytes, size_t len)
{
	const struct p4w_msg *m = bytes;

	for (unsigned int i = 0; i < GOOD_TENANTS * GOOD_NODES; i++) {
		struct node *n = &g->node[i];

		if (n->rpc != rpc)
			continue;
		n->rpc = 0;
		assert_int_equal(ntohs(m->length), len);
		assert_int_equal(ntohs(m->node), n->id);
		if (!is_due(n->state, m->type))
			fail_msg("answer of type %u in state %d", m->type, n->state);
		hear(g, n, bytes);
		return true;
	}
	return false;
}

/* ----------------------------------------------------------------------------------- the rest */

void good_rough(struct good *g)
{
	g->rough = true;
}

void good_restarted(struct good *g)
{
	for (unsigned int i = 0; i < GOOD_TENANTS * GOOD_NODES; i++)
		if (g->node[i].rpc)
			transmit(g, &g->node[i], g->node[i].last, g->node[i].last_len);
}

unsigned int good_batches(const struct good *g)
{
	unsigned int least = UINT32_MAX;

	for (unsigned int i = 0; i < GOOD_TENANTS * GOOD_NODES; i++)
		if (g->node[i].finished < least)
			least = g->node[i].finished;
	return least;
}

uint64_t good_longest_wait(const struct good *g)
{
	return g->longest_wait;
}

unsigned int good_waiting(const struct good *g)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < GOOD_TENANTS * GOOD_NODES; i++)
		n += g->node[i].rpc != 0;
	return n;
}

struct good *good_create(struct world *w)
{
	struct good *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	g->w = w;
	for (unsigned int i = 0; i < GOOD_TENANTS * GOOD_NODES; i++)
		g->node[i] = (struct node){ .tenant = 1 + i / GOOD_NODES, .id = i % GOOD_NODES };
	return g;
}

void good_destroy(struct good *g)
{
	free(g);
}
