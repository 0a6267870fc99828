// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_random.c - random schedules: nodes that work, change their mind, sleep, repeat themselves,
 * forget, die and return, a switch that goes away or restarts, an allocator that is killed and filled from its
 * store.
 *
 * Checked at each answer: a grant is answered only while the switch holds its blocks; all nodes of
 * a batch get the same blocks, epoch and lock bits, also while it grows or shrinks; epochs ascend; flows are disjoint (the world's switch
 * checks what it is told, too). At the end everybody behaves: then every tenant must get on, and
 * every RPC must have been answered once. Seeds are fixed; P4_SEED=n runs one schedule only.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocd_world.h"
#include "../../tools/p4allocd/store.h"
#include "rnd.h"

#define TENANTS 5
#define NODES 3			/* at most: tenant t has t % 3 + 1 */
#define STEPS 4000
#define CALM_STEPS 12000
#define SCHEDULES 100
#define STORE "/dev/shm/allocd_random"
#define BATCHES 100000		/* numbers, as remembered for comparison */
#define KEYS 12			/* most that a node lists */

enum node_state { SAY_HELLO, FETCH, ASK, WAIT, LIST, FILL, CHANGE, CHANGED, RUN, FINISH, GONE, NOBODY };

struct node {
	uint32_t tenant;
	uint16_t id, nodes;
	enum node_state state;
	uint32_t batch;
	uint64_t rpc;			/* that it waits for, 0: none */
	uint64_t busy_until;
	bool done_before;		/* REQUEST says DONE for the batch before */
	unsigned int finished;		/* batches */
	uint32_t fetched;		/* entries of the escrow so far */
	uint8_t last[sizeof(struct p4w_lock_info) + KEYS * sizeof(struct p4w_lock_key)];
						/* for a repeat */
	size_t last_len;
};

struct told {			/* what the nodes of a batch were told */
	uint64_t epoch;
	uint8_t bitmap[P4W_BITMAP_BYTES];
	uint8_t changed[P4W_BITMAP_BYTES];	/* when it has grown or shrunk */
	bool is_changed;		/* at least one node was told */
	uint64_t locks;			/* a sum over all that LOCKS said, 0: nobody was told */
};

struct play {
	struct world *w;
	struct node node[TENANTS][NODES];
	struct told told[TENANTS][BATCHES];
	uint64_t epoch_max[TENANTS];
	char store_path[64];
	struct p4d_store *store;
	unsigned int kills, restarts, downs, grants, expired, lost, dealt, cancelled, grown, shrunk;
	uint64_t rpc_base, answer_base;	/* at the last kill: what was open then is never answered */
	bool calm;
};

static struct play *play;

/* ------------------------------------------------------------------------- store and kill */

static const struct p4d_policy policy = { .lease_max_us = 2000000, .grace_us = 20000 };

static void save(void)
{
	char err[256];

	assert_int_equal(p4d_store_save(play->store, play->w->e, err, sizeof(err)), 0);
}

/* As the service does: into the store first, then out. A kill may come before either. */
static void flush(void)
{
	save();
	world_collect(play->w);
}

static void open_store(struct p4d_engine *e)
{
	char err[256];

	assert_int_equal(p4d_store_open(&play->store, play->store_path, err, sizeof(err)), 0);
	if (p4d_store_load(play->store, e, err, sizeof(err)))
		fail_msg("%s", err);
}

static void kill_allocator(void)
{
	struct p4d_engine *e = p4d_engine_create(play->w->now);

	p4d_store_close(play->store);
	open_store(e);
	world_replace_engine(play->w, e);
	world_know_tenants(play->w, TENANTS);
	for (unsigned int t = 0; t < TENANTS; t++)
		for (unsigned int n = 0; n < NODES; n++)
			if (play->node[t][n].rpc)	/* its RPC is unknown to the new one */
				play->node[t][n].rpc = UINT64_MAX;
	p4d_engine_policy(e, play->w->now, &policy);
	flush();
	world_switch_up(play->w);
	flush();
	play->rpc_base = play->w->rpc;
	play->answer_base = play->w->answers;
	play->kills++;
}

/* ---------------------------------------------------------------------------------- nodes */

static void transmit(struct node *n, const void *bytes, size_t len)
{
	struct p4d_who who = { .rpc = ++play->w->rpc };

	if (n->last != bytes)
		memcpy(n->last, bytes, n->last_len = len);
	n->rpc = who.rpc;
	p4d_engine_message(play->w->e, play->w->now, n->tenant, &who, bytes, len);
	/* A kill at this point loses the message and everything that it changed. */
	if (!play->calm && rnd(400) == 0)
		kill_allocator();
	flush();
}

static void say(struct node *n, uint8_t type, uint32_t batch, uint32_t code)
{
	struct p4w_msg m = { P4W_VERSION, type, htons(sizeof(m)), htons(n->id), htons(n->nodes),
			     htonl(batch), htonl(code) };

	transmit(n, &m, sizeof(m));
}

static void ask(struct node *n)
{
	uint16_t min = 1 + rnd(8), want = min + rnd(17 - min);
	struct p4w_request m = {
		.msg = { P4W_VERSION, P4W_REQUEST, htons(sizeof(m)), htons(n->id), htons(n->nodes),
			 htonl(n->batch), htonl(n->done_before ? P4W_REQ_DONE : 0) },
		.start_us = htonl(rnd(3) ? 0 : rnd(3000)),
		.duration_us = htonl(1 + rnd(5000)),
		.min_blocks = htons(min),
		.want_blocks = htons(want),
		.flows = htonl(1 + rnd(16)),
	};

	transmit(n, &m, sizeof(m));
}

/* All nodes of a tenant do this in every second batch. */
static bool lists_keys(const struct node *n)
{
	return (n->tenant + n->batch) & 1;
}

static void send_list(struct node *n)
{
	struct {
		struct p4w_lock_info m;
		struct p4w_lock_key key[KEYS];
	} msg = { 0 };
	uint32_t keys = rnd(KEYS + 1), key = 0;
	size_t len = sizeof(msg.m) + keys * sizeof(msg.key[0]);

	msg.m.msg = (struct p4w_msg){ P4W_VERSION, P4W_LOCK_INFO, htons(len), htons(n->id),
				      htons(n->nodes), htonl(n->batch), 0 };
	msg.m.nr_keys = htons(keys);
	for (uint32_t i = 0; i < keys; i++)
		msg.key[i] = (struct p4w_lock_key){ htobe64(key += 1 + rnd(5)), htonl(1 + rnd(9)) };
	transmit(n, &msg, len);
}

/* All nodes of a tenant do this in every third batch. */
static bool changes(const struct node *n)
{
	return (n->tenant + n->batch) % 3 == 0;
}

static void change(struct node *n, uint32_t step)
{
	struct p4w_resize m = {
		.msg = { P4W_VERSION, P4W_RESIZE, htons(sizeof(m)), htons(n->id), htons(n->nodes),
			 htonl(n->batch), htonl(step) },
		.blocks = htons(1 + (n->tenant * 7 + n->batch * 5) % 16),
		.number = htons(1),
	};

	transmit(n, &m, sizeof(m));
}

static void on_resized(struct node *n, const struct p4w_resized *m)
{
	struct told *told = &play->told[n->tenant - 1][n->batch];
	struct p4d_blocks before, after;

	p4d_blocks_from_wire(&before, told->bitmap);
	p4d_blocks_from_wire(&after, m->bitmap);
	assert_true(p4d_blocks_count(&after) == ntohs(m->nr_blocks) && ntohs(m->nr_blocks));
	if (!memcmp(told->bitmap, m->bitmap, sizeof(m->bitmap))) {
		assert_false(told->is_changed);
		n->state = RUN;
		return;
	}
	if (told->is_changed) {
		assert_memory_equal(told->changed, m->bitmap, sizeof(m->bitmap));
	} else {
		play->grown += p4d_blocks_count(&after) > p4d_blocks_count(&before);
		play->shrunk += p4d_blocks_count(&after) < p4d_blocks_count(&before);
		memcpy(told->changed, m->bitmap, sizeof(m->bitmap));
		told->is_changed = true;
	}
	n->state = n->state == CHANGE ? CHANGED : RUN;
}

static void on_locks(struct node *n, const struct p4w_locks *m, size_t len)
{
	struct told *told = &play->told[n->tenant - 1][n->batch];
	uint64_t sum = len;

	assert_int_equal(ntohl(m->msg.batch), n->batch);
	for (size_t i = sizeof(m->msg); i < len; i++)
		sum = sum * 31 + ((const uint8_t *)m)[i];
	if (told->locks)
		assert_int_equal(told->locks, sum);
	else
		play->dealt++;
	told->locks = sum;
	n->state = FILL;
}

/* Some values, so that it shows if a tenant ever finds those of another one. */
static void write_cells(const struct node *n)
{
	struct world *w = play->w;

	for (int i = 0; i < 20; i++) {
		unsigned int cell = rnd(w->geo.blocks * P4W_BLOCK_SLOTS);

		if (w->owner[cell / P4W_BLOCK_SLOTS] >> P4W_EPOCH_BITS == n->tenant)
			w->cells[cell * w->geo.registers] = n->tenant << 24 | (rnd(1 << 20) + 1);
	}
}

static bool changes_its_mind(const struct node *n)
{
	return !play->calm && (n->state == WAIT || n->state == LIST || n->state == FILL) &&
	       rnd(20) == 0;
}

static void act(struct node *n)
{
	if (changes_its_mind(n)) {
		play->cancelled++;
		say(n, P4W_DONE, n->batch, 0);
		return;
	}
	switch (n->state) {
	case SAY_HELLO:
		say(n, P4W_HELLO, 0, 0);
		break;
	case FETCH:
		say(n, P4W_FETCH, P4W_BATCH_MAX, n->fetched);
		break;
	case ASK:
		ask(n);
		break;
	case WAIT:
		say(n, P4W_WAIT, n->batch, 0);
		break;
	case LIST:
		send_list(n);
		break;
	case FILL:
		say(n, P4W_SYNC, n->batch, P4W_PHASE_FILLED);
		break;
	case CHANGE:
		change(n, P4W_RESIZE_ASK);
		break;
	case CHANGED:
		change(n, P4W_RESIZE_READY);
		break;
	case RUN:
		write_cells(n);
		say(n, P4W_SYNC, n->batch, P4W_PHASE_RAN);
		break;
	case FINISH:
		if (rnd(2)) {
			n->batch++;
			n->done_before = true;
			n->state = ASK;
			n->finished++;
			ask(n);
		} else {
			say(n, P4W_DONE, n->batch, 0);
		}
		break;
	case GONE:
	case NOBODY:
		break;
	}
}

static void on_granted(struct node *n, const struct p4w_granted *g)
{
	uint64_t epoch = be64toh(g->epoch), word = p4d_owner_word(n->tenant, epoch);
	struct told *told = &play->told[n->tenant - 1][n->batch];
	struct p4d_blocks blocks;

	assert_int_equal(ntohl(g->msg.batch), n->batch);
	p4d_blocks_from_wire(&blocks, g->bitmap);
	assert_int_equal(p4d_blocks_count(&blocks), ntohs(g->nr_blocks));
	assert_true(ntohs(g->nr_blocks) > 0);
	if (play->w->connected)
		p4d_blocks_each(&blocks, b)
			assert_int_equal(play->w->owner[b], word);
	if (told->epoch) {
		assert_int_equal(told->epoch, epoch);
		assert_true(!memcmp(told->bitmap, g->bitmap, sizeof(g->bitmap)) ||
			    (told->is_changed &&
			     !memcmp(told->changed, g->bitmap, sizeof(g->bitmap))));
	} else {
		assert_true(epoch > play->epoch_max[n->tenant - 1]);
		play->epoch_max[n->tenant - 1] = epoch;
		told->epoch = epoch;
		memcpy(told->bitmap, g->bitmap, sizeof(g->bitmap));
		play->grants++;
	}
	for (uint32_t f = 0; play->w->connected && f < ntohl(g->flow_count); f++)
		assert_int_equal(play->w->flow_state[ntohl(g->flow_first) + f],
				 (uint64_t)n->tenant << P4W_FLOW_TENANT_SHIFT);
	n->state = lists_keys(n) ? LIST : FILL;
}

static void on_refused(struct node *n, const struct p4w_refused *no)
{
	switch (ntohl(no->msg.code)) {
	case P4W_REFUSED_EXPIRED:
		play->expired += strcmp(no->field, "epoch") != 0;
		play->lost += strcmp(no->field, "epoch") == 0;
		n->done_before = false;
		n->state = SAY_HELLO;
		break;
	case P4W_REFUSED_SWITCH:
		break;
	case P4W_REFUSED_ORDER:		/* repeats and restarts brought it out of step */
		n->done_before = false;
		n->state = SAY_HELLO;
		break;
	default:
		fail_msg("refused: %s %s", no->field, no->text);
	}
}

static void on_escrow(struct node *n, const struct p4w_escrow *m)
{
	assert_int_equal(ntohl(m->first), n->fetched);
	for (uint32_t i = 0; i < ntohl(m->count); i++) {
		uint32_t v = ntohl(m->entry[i].value);

		assert_true(v == 0 || v >> 24 == n->tenant);
		assert_true(ntohl(m->entry[i].batch) < n->batch);
	}
	n->fetched += ntohl(m->count);
	if (!ntohl(m->count))		/* the answer to "I have them all" */
		n->state = ASK;
}

static void on_answer(struct world *w, uint64_t rpc, const void *bytes, size_t len)
{
	const struct p4w_msg *m = bytes;
	struct node *n = NULL;

	for (unsigned int i = 0; i < TENANTS * NODES; i++)
		if (play->node[i / NODES][i % NODES].rpc == rpc)
			n = &play->node[i / NODES][i % NODES];
	if (!n)
		return;		/* the answer to something it has repeated since */
	n->rpc = 0;
	switch (m->type) {
	case P4W_WELCOME:
		n->batch = ntohl(m->batch);
		n->done_before = false;
		n->fetched = 0;
		n->state = ntohl(((const struct p4w_welcome *)m)->escrow) ? FETCH : ASK;
		assert_true(n->batch < BATCHES);
		break;
	case P4W_ESCROW:
		on_escrow(n, bytes);
		break;
	case P4W_RESERVED:
		n->state = WAIT;
		break;
	case P4W_GRANTED:
		on_granted(n, bytes);
		break;
	case P4W_LOCKS:
		on_locks(n, bytes, len);
		break;
	case P4W_SYNCED:
		n->state = n->state != FILL ? FINISH : changes(n) ? CHANGE : RUN;
		break;
	case P4W_RESIZED:
		on_resized(n, bytes);
		break;
	case P4W_FREED:
		n->batch++;
		n->done_before = false;
		n->state = ASK;
		n->finished++;
		break;
	case P4W_LEFT:
		n->state = GONE;
		break;
	case P4W_REFUSED:
		on_refused(n, bytes);
		break;
	default:
		fail_msg("answer of type %u", m->type);
	}
}

/* ------------------------------------------------------------------------------ mischief */

static void misbehave(struct node *n)
{
	uint8_t junk[64];

	if (n->state == NOBODY)
		return;
	switch (rnd(9)) {
	case 0:			/* process dies and another one comes */
		n->state = SAY_HELLO;
		n->rpc = 0;
		break;
	case 1:			/* sleeps over its lease */
		n->busy_until = play->w->now + 400000;
		break;
	case 2:			/* leaves for good manners, comes back later */
		if (n->state != GONE)
			say(n, P4W_LEAVE, n->batch ? n->batch : 1, 0);
		break;
	case 3:
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = rnd(256);
		junk[0] = P4W_VERSION;
		world_send_bytes(play->w, n->tenant, junk, rnd(sizeof(junk)));
		flush();
		break;
	case 4:
		if (n->state == GONE)
			n->state = SAY_HELLO;
		break;
	default:		/* says it once more, and looks at the second answer only */
		if (n->last_len && n->rpc)
			transmit(n, n->last, n->last_len);
	}
}

static void trouble(void)
{
	struct world *w = play->w;

	switch (rnd(40)) {
	case 0:
		kill_allocator();
		break;
	case 1:
		if (w->connected) {
			world_switch_restart(w);
			play->restarts++;
		}
		break;
	case 2:
		if (w->connected) {
			world_switch_down(w);
			play->downs++;
		}
		break;
	default:
		misbehave(&play->node[rnd(TENANTS)][rnd(NODES)]);
	}
	flush();
}

static void pass_time(uint64_t us)
{
	play->w->now += us;
	p4d_engine_tick(play->w->e, play->w->now);
	flush();
}

static void step(void)
{
	struct world *w = play->w;
	struct node *n = &play->node[rnd(TENANTS)][rnd(NODES)];

	if (!w->connected && rnd(play->calm ? 1 : 20) == 0) {
		world_switch_up(w);
		flush();
	}
	if (n->rpc == UINT64_MAX) {	/* killed under it: Homa delivers the request again */
		transmit(n, n->last, n->last_len);
	} else if (!n->rpc && n->busy_until <= w->now) {
		act(n);
		n->busy_until = w->now + rnd(2000);
	}
	for (unsigned int i = rnd(3); i > 0; i--) {
		world_switch_step(w);
		flush();
	}
	pass_time(rnd(500));
	if (!play->calm && rnd(15) == 0)
		trouble();
}

static void check_owners(void)
{
	struct p4d_engine *e = play->w->e;

	for (const struct p4d_tenant *t = e->tenants; t; t = t->link) {
		if (!t->cur)
			continue;
		p4d_blocks_each(&t->cur->blocks, b)
			assert_int_equal(e->owner[b], t->id);
		if (t->cur->state == P4D_HELD && play->w->connected)
			p4d_blocks_each(&t->cur->blocks, b)
				assert_int_equal(play->w->owner[b],
						 p4d_owner_word(t->id, t->cur->epoch));
	}
}

static bool exists(unsigned int i)
{
	return play->node[i / NODES][i % NODES].state != NOBODY;
}

/* Everybody behaves from now on: each node must finish some batches. */
static void calm_down(void)
{
	unsigned int before[TENANTS * NODES];

	play->calm = true;
	for (unsigned int i = 0; i < TENANTS * NODES; i++) {
		struct node *n = &play->node[i / NODES][i % NODES];

		before[i] = n->finished;
		if (n->state == GONE)
			n->state = SAY_HELLO;
	}
	for (unsigned int i = 0; i < CALM_STEPS; i++)
		step();
	for (unsigned int i = 0; i < TENANTS * NODES; i++)
		if (exists(i))
			assert_true(play->node[i / NODES][i % NODES].finished >= before[i] + 3);
}

static uint64_t held_requests(void)
{
	uint64_t n = 0;

	for (const struct p4d_tenant *t = play->w->e->tenants; t; t = t->link)
		for (unsigned int i = 0; i < P4W_NODES_MAX; i++)
			for (int kind = 0; kind < P4D_HOLDS; kind++)
				n += t->node[i].held[kind].used;
	return n;
}

static void run_schedule(uint64_t seed)
{
	rnd_seed(seed);
	play = calloc(1, sizeof(*play));
	snprintf(play->store_path, sizeof(play->store_path), STORE ".%d", getpid());
	unlink(play->store_path);
	play->w = world_create(1, 16, 256, TENANTS);
	play->w->on_answer = on_answer;
	open_store(play->w->e);
	p4d_engine_policy(play->w->e, play->w->now, &policy);
	for (unsigned int i = 0; i < TENANTS * NODES; i++) {
		unsigned int t = i / NODES, n = i % NODES, nodes = t % NODES + 1;

		play->node[t][n] = (struct node){ .tenant = t + 1, .id = n, .nodes = nodes,
						  .state = n < nodes ? SAY_HELLO : NOBODY };
	}
	for (unsigned int i = 0; i < STEPS; i++) {
		step();
		check_owners();
	}
	calm_down();
	assert_int_equal(play->w->answers - play->answer_base + held_requests(),
			 play->w->rpc - play->rpc_base);
	if (getenv("P4_SEED"))
		print_message("seed %lu: %u grants, %u expired, %u lost, %u kills, %u restarts, "
			      "%u losses of the switch, %u escrows, %u dealt, %u cancelled, %u grown, "
			      "%u shrunk\n", (unsigned long)seed,
			      play->grants, play->expired, play->lost, play->kills,
			      play->restarts, play->downs, play->w->reads, play->dealt,
			      play->cancelled, play->grown, play->shrunk);
	p4d_store_close(play->store);
	world_destroy(play->w);
	unlink(play->store_path);
	free(play);
}

static void random__schedules_keep_the_promises(void **state)
{
	const char *one = getenv("P4_SEED");

	for (uint64_t seed = one ? strtoull(one, NULL, 0) : 1; seed <= SCHEDULES || one; seed++) {
		run_schedule(seed);
		if (one)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random__schedules_keep_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
