// SPDX-License-Identifier: GPL-2.0-or-later
/* escrow.c - see escrow.h. */
#include <stdlib.h>
#include <string.h>

#include "escrow.h"
#include "out.h"

static uint32_t entries_of(const struct p4d_escrow *s)
{
	return s->slots * s->registers;
}

static bool is_shown_to(const struct p4d_escrow *s, unsigned int node, uint32_t batch)
{
	return s->batch <= batch && !(s->acked & p4d_bit(node));
}

struct p4d_escrow *p4d_escrow_append(struct p4d_tenant *t, uint32_t batch, uint32_t slots,
				     uint32_t registers)
{
	struct p4d_escrow *s = p4d_alloc(sizeof(*s) + sizeof(s->cells[0]) * slots * registers);
	struct p4d_escrow **end = &t->escrow;

	while (*end)
		end = &(*end)->next;
	s->batch = batch;
	s->slots = slots;
	s->registers = registers;
	*end = s;
	return s;
}

void p4d_escrow_add(struct p4d_engine *e, struct p4d_tenant *t, const uint32_t *cells,
		    uint64_t done)
{
	const struct p4d_batch *b = t->cur;
	struct p4d_escrow *s = p4d_escrow_append(t, b->number, P4W_BLOCK_SLOTS *
						 p4d_blocks_count(&b->blocks), e->geo.registers);

	s->epoch = b->epoch;
	s->nodes = t->nodes;
	s->acked = done;
	memcpy(s->cells, cells, sizeof(s->cells[0]) * entries_of(s));
	t->counter[P4D_C_escrowed_cells] += entries_of(s);
	t->dirty = true;
}

uint32_t p4d_escrow_total(const struct p4d_tenant *t, unsigned int node, uint32_t batch)
{
	uint32_t total = 0;

	for (const struct p4d_escrow *s = t->escrow; s; s = s->next)
		if (is_shown_to(s, node, batch))
			total += entries_of(s);
	return total;
}

unsigned int p4d_escrow_sets(const struct p4d_tenant *t, uint64_t *entries)
{
	unsigned int n = 0;

	*entries = 0;
	for (const struct p4d_escrow *s = t->escrow; s; s = s->next) {
		*entries += entries_of(s);
		n++;
	}
	return n;
}

size_t p4d_escrow_page(struct p4d_tenant *t, const struct p4d_request *req, void *out)
{
	uint32_t total = p4d_escrow_total(t, req->node, req->batch);
	uint32_t left = req->code < total ? total - req->code : 0;
	uint32_t count = left < P4W_ESCROW_MAX ? left : P4W_ESCROW_MAX;
	uint32_t at = 0, n = 0;

	for (struct p4d_escrow *s = t->escrow; s && n < count; s = s->next) {
		if (!is_shown_to(s, req->node, req->batch))
			continue;
		for (uint32_t i = req->code + n - at; n < count && i < entries_of(s); i++, n++) {
			p4d_proto_escrow_entry(out, n, s->batch, i / s->registers,
					       i % s->registers, s->cells[i]);
			if (i + 1 == entries_of(s))
				s->shown |= p4d_bit(req->node);
		}
		at += entries_of(s);
	}
	return p4d_proto_escrow(out, req, total, req->code, count);
}

static bool is_over(const struct p4d_tenant *t, const struct p4d_escrow *s)
{
	return !(p4d_all_nodes(t) & ~s->acked);
}

static void drop_over(struct p4d_tenant *t)
{
	for (struct p4d_escrow **at = &t->escrow; *at;) {
		struct p4d_escrow *s = *at;

		if (!is_over(t, s)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		s->next = t->fetched;
		t->fetched = s;
	}
}

static void ack(struct p4d_tenant *t, struct p4d_escrow *s, unsigned int node)
{
	s->acked |= p4d_bit(node);
	t->dirty = true;
}

void p4d_escrow_ack(struct p4d_tenant *t, unsigned int node, uint32_t batch)
{
	for (struct p4d_escrow *s = t->escrow; s; s = s->next)
		if (is_shown_to(s, node, batch))
			ack(t, s, node);
	drop_over(t);
}

void p4d_escrow_ack_shown(struct p4d_tenant *t, unsigned int node)
{
	for (struct p4d_escrow *s = t->escrow; s; s = s->next)
		if (!(s->acked & p4d_bit(node)) && s->shown & p4d_bit(node))
			ack(t, s, node);
	drop_over(t);
}

static void free_all(struct p4d_escrow **list)
{
	while (*list) {
		struct p4d_escrow *s = *list;

		*list = s->next;
		free(s);
	}
}

void p4d_escrow_forget(struct p4d_tenant *t)
{
	free_all(&t->fetched);
}

void p4d_escrow_free(struct p4d_tenant *t)
{
	free_all(&t->escrow);
	free_all(&t->fetched);
}
