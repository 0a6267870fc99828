// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_world.c - see allocd_world.h. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "allocd_world.h"

/* --------------------------------------------------------------------------------- switch */

static bool overlap(struct p4d_range a, struct p4d_range b)
{
	return a.first < b.first + b.count && b.first < a.first + a.count;
}

static bool same_grant(const struct world_grant *g, const struct p4d_give *give)
{
	return g->tenant == give->tenant && g->epoch == give->epoch;
}

static void check_flows(const struct world *w, const struct p4d_give *give)
{
	for (uint32_t i = 0; i < give->nr_flows; i++) {
		assert_true(give->flow[i].count > 0);
		assert_true(give->flow[i].first + give->flow[i].count <= w->geo.flows);
		for (uint32_t j = 0; j < i; j++)
			assert_false(overlap(give->flow[i], give->flow[j]));
		for (unsigned int h = 0; h < P4W_MAX_BLOCKS; h++) {
			const struct world_grant *g = &w->grant[h];

			if (!g->tenant || same_grant(g, give))
				continue;
			for (uint32_t j = 0; j < g->nr_flows; j++)
				assert_false(overlap(give->flow[i], g->flow[j]));
		}
	}
}

/* To a grant that stands: above its other blocks, with nobody's values. */
static void do_give_more(struct world *w, const struct p4d_give *give)
{
	uint64_t word = p4d_owner_word(give->tenant, give->epoch);
	size_t each = P4W_BLOCK_SLOTS * w->geo.registers;
	bool grant = false;

	for (unsigned int b = 0; b < p4d_blocks_next(&give->blocks, 0); b++)
		grant |= w->owner[b] == word;
	assert_true(grant);
	p4d_blocks_each(&give->blocks, b) {
		assert_true(w->owner[b] == 0 || w->owner[b] == word);
		if (p4d_blocks_has(&give->clear, b))
			memset(w->cells + b * each, 0, each * sizeof(*w->cells));
		for (size_t i = 0; i < each; i++)
			assert_int_equal(w->cells[b * each + i], 0);
		w->owner[b] = word;
	}
	w->gives++;
	p4d_engine_given(w->e, w->now, give->action);
}

static void do_give(struct world *w, const struct p4d_give *give)
{
	uint64_t word = p4d_owner_word(give->tenant, give->epoch);
	unsigned int home = p4d_blocks_next(&give->blocks, 0);
	bool again = w->owner[home] == word;

	assert_true(p4d_blocks_count(&give->blocks) > 0);
	if (give->more) {
		do_give_more(w, give);
		return;
	}
	assert_true(give->tenant < WORLD_TENANTS);
	if (!again) {
		assert_true(give->epoch > w->epoch_max[give->tenant]);
		assert_int_equal(w->epoch_used[give->epoch % WORLD_EPOCHS]++, 0);
	}
	w->epoch_max[give->tenant] = give->epoch;
	check_flows(w, give);
	p4d_blocks_each(&give->blocks, b) {
		assert_true(b < w->geo.blocks);
		assert_true(w->owner[b] == 0 || w->owner[b] == word);
		if (p4d_blocks_has(&give->clear, b))
			memset(w->cells + b * P4W_BLOCK_SLOTS * w->geo.registers, 0,
			       P4W_BLOCK_SLOTS * w->geo.registers * sizeof(*w->cells));
		for (unsigned int i = 0; i < P4W_BLOCK_SLOTS * w->geo.registers; i++) {
			uint32_t v = w->cells[b * P4W_BLOCK_SLOTS * w->geo.registers + i];

			assert_true(v == 0 || v >> 24 == give->tenant);	/* nobody else's value */
		}
		w->owner[b] = word;
		w->access[b] = 0;
	}
	if (!again)
		w->serial[home] = give->epoch << P4W_SERIAL_SHIFT;
	for (uint32_t i = 0; i < give->nr_flows; i++)
		for (uint32_t f = 0; f < give->flow[i].count; f++)
			w->flow_state[give->flow[i].first + f] =
				(uint64_t)give->tenant << P4W_FLOW_TENANT_SHIFT;
	w->grant[home].tenant = give->tenant;
	w->grant[home].epoch = give->epoch;
	w->grant[home].blocks = give->blocks;
	w->grant[home].nr_flows = give->nr_flows;
	memcpy(w->grant[home].flow, give->flow, sizeof(give->flow));
	w->gives++;
	p4d_engine_given(w->e, w->now, give->action);
}

static void do_take(struct world *w, const struct p4d_take *take)
{
	size_t each = P4W_BLOCK_SLOTS * w->geo.registers;
	uint32_t *cells = NULL;
	size_t n = 0;

	if (take->read)
		cells = malloc(p4d_blocks_count(&take->blocks) * each * sizeof(*cells));
	p4d_blocks_each(&take->blocks, b) {
		assert_true(b < w->geo.blocks);
		w->owner[b] = 0;
		w->grant[b].tenant = 0;
		p4d_engine_serial(w->e, w->serial[b]);
		if (cells)
			memcpy(cells + n++ * each, w->cells + b * each, each * sizeof(*cells));
	}
	w->takes++;
	w->reads += take->read;
	p4d_engine_taken(w->e, w->now, take->action, cells);
	free(cells);
}

static void do_count(struct world *w, const struct p4d_count *count)
{
	uint64_t seen[P4W_MAX_BLOCKS];
	size_t n = 0;

	p4d_blocks_each(&count->blocks, b) {
		assert_true(w->owner[b] == p4d_owner_word(count->tenant, count->epoch));
		seen[n++] = w->access[b];
		w->access[b] = 0;
	}
	w->counts++;
	p4d_engine_counted(w->e, w->now, count, seen);
	if (w->stuck)
		p4d_engine_stuck(w->e, w->now, count);
	w->stuck = false;
}

static void do_cell(struct world *w, const struct p4d_cell_order *o)
{
	uint32_t *at = w->cells + o->slot * w->geo.registers, before[P4W_CELL_REGISTERS];

	if (o->verb == P4D_CELL_FLOWS) {
		for (uint32_t f = 0; f < o->flow.count; f++)
			w->flow_state[o->flow.first + f] =
				(uint64_t)o->tenant << P4W_FLOW_TENANT_SHIFT;
		p4d_engine_celled(w->e, w->now, o->action, NULL);
		return;
	}
	assert_int_equal(w->owner[o->slot / P4W_BLOCK_SLOTS] >> P4W_EPOCH_BITS, o->tenant);
	memcpy(before, at, sizeof(before));
	if (o->verb == P4D_CELL_CLOSE) {
		at[P4W_CELL_FREE] = P4W_CELL_CLOSED;
	} else {
		memset(at, 0, sizeof(before));
		at[P4W_CELL_FREE] = o->id;
		at[P4W_CELL_FREE_NEG] = -o->id;
	}
	p4d_engine_celled(w->e, w->now, o->action, before);
}

bool world_switch_step(struct world *w)
{
	struct p4d_out *o = w->orders;

	if (!o || !w->connected)
		return false;
	w->orders = o->link;
	if (!w->orders)
		w->orders_last = &w->orders;
	if (o->kind == P4D_OUT_GIVE)
		do_give(w, &o->give);
	else if (o->kind == P4D_OUT_CELL)
		do_cell(w, &o->cell);
	else if (o->kind == P4D_OUT_TAKE)
		do_take(w, &o->take);
	else
		do_count(w, &o->count);
	free(o);
	world_collect(w);
	return true;
}

static void forget_orders(struct world *w)
{
	while (w->orders) {
		struct p4d_out *o = w->orders;

		w->orders = o->link;
		free(o);
	}
	w->orders_last = &w->orders;
}

void world_switch_down(struct world *w)
{
	w->connected = false;
	forget_orders(w);
	p4d_engine_switch_down(w->e, w->now, "test");
	world_collect(w);
}

void world_switch_up(struct world *w)
{
	struct p4d_switch_info info = { w->geo, w->boot, w->owner, w->serial };

	w->connected = true;
	p4d_engine_switch_up(w->e, w->now, &info);
	world_collect(w);
}

void world_switch_restart(struct world *w)
{
	world_switch_down(w);
	w->boot++;
	memset(w->owner, 0, sizeof(w->owner));
	memset(w->serial, 0, sizeof(w->serial));
	memset(w->flow_state, 0, sizeof(w->flow_state));
	memset(w->grant, 0, sizeof(w->grant));
	memset(w->cells, 0, w->geo.blocks * P4W_BLOCK_SLOTS * w->geo.registers * sizeof(*w->cells));
}

/* ---------------------------------------------------------------------------------- world */

void world_collect(struct world *w)
{
	struct p4d_out *o;

	while ((o = p4d_engine_pop(w->e))) {
		if (o->kind == P4D_OUT_REPLY) {
			unsigned int at = o->who.rpc % WORLD_ANSWERS;

			assert_true(w->answer[at].rpc != o->who.rpc);	/* once an RPC */
			assert_true(o->len <= P4D_REPLY_MAX);
			w->answer[at].rpc = o->who.rpc;
			w->answer[at].len = o->len;
			memcpy(w->answer[at].bytes, o->bytes, o->len);
			w->answers++;
			if (w->on_answer)
				w->on_answer(w, o->who.rpc, o->bytes, o->len);
			free(o);
		} else if (w->connected) {
			o->link = NULL;
			*w->orders_last = o;
			w->orders_last = &o->link;
		} else {
			free(o);
		}
	}
}

void world_settle(struct world *w)
{
	do
		world_collect(w);
	while (world_switch_step(w));
}

void world_sleep(struct world *w, uint64_t us)
{
	uint64_t until = w->now + us;

	for (;;) {
		uint64_t next = p4d_engine_deadline(w->e);

		world_settle(w);
		if (next > until)
			break;
		assert_true(next > w->now);	/* or it would spin */
		w->now = next;
		p4d_engine_tick(w->e, w->now);
		world_settle(w);
	}
	w->now = until;
	p4d_engine_tick(w->e, w->now);
	world_settle(w);
}

void world_know_tenants(struct world *w, uint32_t tenants)
{
	p4d_engine_tenants_begin(w->e);
	for (uint32_t id = 1; id <= tenants; id++) {
		struct p4d_tenant_conf conf = { id, "t", 100, 0, P4W_MAX_BLOCKS };

		p4d_engine_tenant(w->e, w->now, &conf);
	}
	p4d_engine_tenants_end(w->e, w->now);
	world_collect(w);
}

void world_replace_engine(struct world *w, struct p4d_engine *e)
{
	p4d_engine_destroy(w->e);
	forget_orders(w);
	w->e = e;
	w->connected = false;
}

struct world *world_create(uint32_t registers, uint32_t blocks, uint32_t flows, uint32_t tenants)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_true(flows <= WORLD_FLOWS);
	w->geo = (struct p4d_geometry){ registers, blocks, flows, registers / 2 };
	w->cells = calloc(blocks * P4W_BLOCK_SLOTS, registers * sizeof(*w->cells));
	w->now = 1000000;
	w->boot = 77;
	w->orders_last = &w->orders;
	w->e = p4d_engine_create(w->now);
	assert_non_null(w->e);
	world_know_tenants(w, tenants);
	world_switch_up(w);
	return w;
}

void world_destroy(struct world *w)
{
	forget_orders(w);
	p4d_engine_destroy(w->e);
	free(w->cells);
	free(w);
}

/* ------------------------------------------------------------------------------- messages */

uint64_t world_send_bytes(struct world *w, uint32_t tenant, const void *bytes, size_t len)
{
	struct p4d_who who = { .rpc = ++w->rpc, .peer.sin_addr.s_addr = w->peer };

	p4d_engine_message(w->e, w->now, tenant, &who, bytes, len);
	world_collect(w);
	return who.rpc;
}

uint64_t world_send(struct world *w, uint32_t tenant, uint16_t node, uint16_t nodes, uint8_t type,
		    uint32_t batch, uint32_t code)
{
	struct p4w_msg m = { P4W_VERSION, type, htons(sizeof(m)), htons(node), htons(nodes),
			     htonl(batch), htonl(code) };

	return world_send_bytes(w, tenant, &m, sizeof(m));
}

uint64_t world_send_request(struct world *w, uint32_t tenant, const struct p4d_request *r)
{
	uint16_t len = sizeof(struct p4w_request) + r->nr_hist * sizeof(uint16_t);
	uint8_t bytes[sizeof(struct p4w_request) + P4W_MAX_BLOCKS * sizeof(uint16_t)];
	struct p4w_request m = {
		.msg = { P4W_VERSION, P4W_REQUEST, htons(len), htons(r->node),
			 htons(r->nodes), htonl(r->batch), htonl(r->code) },
		.start_us = htonl(r->start_us),
		.duration_us = htonl(r->duration_us),
		.min_blocks = htons(r->min_blocks),
		.want_blocks = htons(r->want_blocks),
		.flows = htonl(r->flows),
		.nr_hist = htons(r->nr_hist),
		.together = htons(r->together),
	};

	memcpy(bytes, &m, sizeof(m));
	if (r->nr_hist)
		memcpy(bytes + sizeof(m), r->hist, len - sizeof(m));
	return world_send_bytes(w, tenant, bytes, len);
}

uint64_t world_send_lock_info(struct world *w, uint32_t tenant, uint16_t node, uint16_t nodes,
			      uint32_t batch, const struct p4w_lock_key *entry, size_t n)
{
	size_t len = sizeof(struct p4w_lock_info) + n * sizeof(*entry);
	struct p4w_lock_info *m = calloc(1, len);
	uint64_t rpc;

	m->msg = (struct p4w_msg){ P4W_VERSION, P4W_LOCK_INFO, htons(len), htons(node),
				   htons(nodes), htonl(batch), 0 };
	m->nr_keys = htons(n);
	if (n)
		memcpy(m->key, entry, n * sizeof(*entry));
	rpc = world_send_bytes(w, tenant, m, len);
	free(m);
	return rpc;
}

const void *world_answer(struct world *w, uint64_t rpc)
{
	unsigned int at = rpc % WORLD_ANSWERS;

	return w->answer[at].rpc == rpc ? w->answer[at].bytes : NULL;
}

uint8_t world_type(struct world *w, uint64_t rpc)
{
	const struct p4w_msg *m = world_answer(w, rpc);

	return m ? m->type : 0;
}

uint32_t world_refusal(struct world *w, uint64_t rpc)
{
	const struct p4w_refused *m = world_answer(w, rpc);

	return m && m->msg.type == P4W_REFUSED ? ntohl(m->msg.code) : 0;
}
