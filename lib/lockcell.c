// SPDX-License-Identifier: LGPL-2.1-or-later
/* lockcell.c - see lockcell.h. Pure functions but for what `known` remembers. */
#include <string.h>

#include "lockcell.h"

#define HALF_MAX	0x7fffffffu

enum { GIVE_BACK_FREE = 4 };	/* place of P4W_CELL_FREE in the second transaction */

static uint32_t high(uint64_t owner)
{
	return owner >> 32;
}

static uint32_t low(uint64_t owner)
{
	return owner;
}

uint64_t p4a_cell_next_owner(uint64_t owner)
{
	do
		owner = (owner + 1) & ((uint64_t)HALF_MAX << 32 | HALF_MAX);
	while (!high(owner) || !low(owner));
	return owner;
}

static struct p4a_known_cell *place(struct p4a_cell_grant *g, const uint8_t *name)
{
	uint64_t word[2];

	memcpy(word, name, sizeof(word));
	return &g->known[(word[0] + 31 * word[1]) * UINT64_C(0x9e3779b97f4a7c15) >> 58];
}

struct p4a_known_cell *p4a_cell_find(struct p4a_cell_grant *g, const uint8_t *name)
{
	struct p4a_known_cell *c = place(g, name);

	return g->epoch && c->epoch == g->epoch && !memcmp(c->name, name, sizeof(c->name)) ?
	       c : NULL;
}

struct p4a_known_cell *p4a_cell_of_hold(struct p4a_cell_grant *g, const struct p4a_lock *hold)
{
	struct p4a_known_cell *c = p4a_cell_find(g, hold->name);

	return c && hold->token > c->base && hold->token <= c->base + c->count ? c : NULL;
}

void p4a_cell_note(struct p4a_cell_grant *g, const uint8_t *name, const struct p4a_known_cell *cell)
{
	struct p4a_known_cell *c = place(g, name);

	*c = *cell;
	memcpy(c->name, name, sizeof(c->name));
}

static void add(struct homa_txn *t, const struct p4a_known_cell *c, uint8_t reg, uint8_t op,
		uint32_t operand)
{
	t->instr[t->count++] = (struct homa_txn_instr) {
		.reg = reg, .op = op, .slot = c->slot, .operand = operand,
	};
}

static void begin(struct homa_txn *t, const struct p4a_known_cell *c)
{
	*t = (struct homa_txn) { .epoch = c->epoch, .space = HOMA_TXN_LOCKS };
}

/* Places are those of enum p4w_cell_register. */
void p4a_cell_take(struct homa_txn *t, const struct p4a_known_cell *c, const struct p4a_lock *hold)
{
	uint64_t owner = hold->owner;

	begin(t, c);
	add(t, c, P4W_CELL_FREE, P4W_OP_CADD, -c->id);
	add(t, c, P4W_CELL_FREE_NEG, P4W_OP_CADD, c->id);
	add(t, c, P4W_CELL_HIGH, P4W_OP_WRITE, high(owner));
	add(t, c, P4W_CELL_HIGH_NEG, P4W_OP_WRITE, -high(owner));
	add(t, c, P4W_CELL_LOW, P4W_OP_WRITE, low(owner));
	add(t, c, P4W_CELL_LOW_NEG, P4W_OP_WRITE, -low(owner));
	add(t, c, P4W_CELL_TAKEN, P4W_OP_ADD, 1);
	add(t, c, P4W_CELL_LEASE, P4W_OP_WRITE, hold->lease_us);
}

/* P4W_CELL_FREE is added to, not written: so what was closed meanwhile stays closed. */
void p4a_cell_give_back(struct homa_txn *t, const struct p4a_known_cell *c,
			const struct p4a_lock *hold)
{
	uint64_t owner = hold->owner;

	begin(t, c);
	add(t, c, P4W_CELL_HIGH, P4W_OP_CADD, -high(owner));
	add(t, c, P4W_CELL_HIGH_NEG, P4W_OP_CADD, high(owner));
	add(t, c, P4W_CELL_LOW, P4W_OP_CADD, -low(owner));
	add(t, c, P4W_CELL_LOW_NEG, P4W_OP_CADD, low(owner));
	add(t, c, P4W_CELL_FREE, P4W_OP_ADD, c->id);
	add(t, c, P4W_CELL_FREE_NEG, P4W_OP_ADD, -c->id);
}

uint64_t p4a_cell_taken(const struct p4a_known_cell *c, const struct homa_txn_result *r)
{
	if (r->status != P4W_TXN_OK || r->count != P4W_CELL_REGISTERS ||
	    r->result[P4W_CELL_FREE] != c->id || r->result[P4W_CELL_FREE_NEG] != -c->id)
		return 0;
	/* The last token is the allocator's, for who finds no other. */
	return r->result[P4W_CELL_TAKEN] + 1 < c->count ? c->base + r->result[P4W_CELL_TAKEN] + 1 : 0;
}

bool p4a_cell_given_back(const struct p4a_lock *hold, const struct homa_txn_result *r)
{
	return r->status == P4W_TXN_OK && r->count == GIVE_BACK_FREE + 2 &&
	       r->result[0] == high(hold->owner) && r->result[1] == -high(hold->owner) &&
	       r->result[2] == low(hold->owner) && r->result[3] == -low(hold->owner) &&
	       !r->result[GIVE_BACK_FREE];
}
