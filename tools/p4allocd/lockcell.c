// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lockcell.c - see lockcell.h; what a transaction does with a cell is in p4wire.h.
 *
 * An order that the switch has not acknowledged may have been carried out all the same, and is issued
 * again when it is back. So closing changes nothing that it reads: P4W_CELL_FREE alone is written,
 * and who holds the cell is told by the registers behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "cellblock.h"
#include "grant.h"
#include "locking.h"
#include "lockcell.h"
#include "out.h"

#define OFTEN		8		/* times that a lock is given back before it gets a cell */
#define OFTEN_MAX	64		/* it doubles with each cell that served for less than that */
#define TOKENS		65536u		/* of a cell */
#define BARRED_US	1000000		/* no new block after others needed one */

/* ------------------------------------------------------------------------------- look-ups */

static struct p4d_lockcells *cells_of(struct p4d_tenant *t)
{
	if (!t->cells)
		t->cells = p4d_alloc(sizeof(*t->cells));
	return t->cells;
}

static bool same(struct p4d_name a, struct p4d_name b)
{
	return a.word[0] == b.word[0] && a.word[1] == b.word[1];
}

static struct p4d_name name_of(const struct p4d_request *req)
{
	struct p4d_name name;

	memcpy(&name, req->name, sizeof(name));
	return name;
}

static struct p4d_lockcell *find(struct p4d_tenant *t, struct p4d_name name)
{
	if (!t->cells || t->cells->state == P4D_BLOCK_NONE)
		return NULL;
	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++)
		if (t->cells->cell[i].state && same(t->cells->cell[i].name, name))
			return &t->cells->cell[i];
	return NULL;
}

static struct p4d_lock_use *use_of(struct p4d_lockcells *l, struct p4d_name name)
{
	uint64_t mixed = (name.word[0] + 31 * name.word[1]) * UINT64_C(0x9e3779b97f4a7c15);

	return &l->use[mixed >> 58];	/* P4D_LOCK_USES */
}

static unsigned int slot_of(const struct p4d_lockcells *l, const struct p4d_lockcell *c)
{
	return c - l->cell;
}

static bool is_possible(const struct p4d_engine *e)
{
	return p4d_grant_usable(e) && e->geo.registers >= P4W_CELL_REGISTERS;
}

static void refuse(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		   const struct p4d_request *req, uint32_t code, const char *text)
{
	struct p4d_refusal why = { code, 0, 0, 0, "name", text };

	p4d_out_refuse(e, t, who, req, &why);
}

/* ------------------------------------------------------------------------------ one cell */

static void order(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_lockcell *c)
{
	const struct p4d_cell_order o = {
		.action = c->action = e->action_next++,
		.verb = c->state == P4D_LOCKCELL_OPENING ? P4D_CELL_OPEN : P4D_CELL_CLOSE,
		.tenant = t->id,
		.slot = t->cells->block * P4W_BLOCK_SLOTS + slot_of(t->cells, c),
		.id = c->id,
	};

	p4d_out_cell(e, &o);
}

static void open_cell(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_lockcell *c,
		      struct p4d_name name)
{
	*c = (struct p4d_lockcell){
		.name = name, .state = P4D_LOCKCELL_OPENING, .base = e->token_next - 1,
	};
	e->token_next += TOKENS;
	/* Of all ranges there ever were no other has this quotient, until it wraps. */
	c->id = c->base / TOKENS % P4W_CELL_ID_MAX + 1;
	order(e, t, c);
}

static void close_cell(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_lockcell *c)
{
	c->state = P4D_LOCKCELL_CLOSING;
	order(e, t, c);
}

static void park(const struct p4d_engine *e, struct p4d_lockcell *c, const struct p4d_who *who,
		 const struct p4d_request *req)
{
	struct p4d_parked *p = p4d_alloc(sizeof(*p));

	*p = (struct p4d_parked){ NULL, *who, *req, e->now };
	if (c->last)
		c->last->link = p;
	else
		c->first = p;
	c->last = p;
	c->nr_parked++;
}

static struct p4d_parked *take_parked(struct p4d_lockcell *c)
{
	struct p4d_parked *p = c->first;

	c->first = c->last = NULL;
	c->nr_parked = 0;
	return p;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * The first of them may change what the name has; then the rest are parked again, in order. What they have
 * waited for the switch is part of the wait that they allow.
 */
static void unpark(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_lockcell *c)
{
	struct p4d_parked *p = take_parked(c);

	while (p) {
		struct p4d_parked *next = p->link;

		p->req.wait_us -= min32(e->now - p->from, p->req.wait_us);
		p4d_locking_request(e, t, &p->who, &p->req);
		free(p);
		p = next;
	}
}

static void refuse_parked(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_lockcell *c,
			  uint32_t code, const char *text)
{
	struct p4d_parked *p = take_parked(c);

	while (p) {
		struct p4d_parked *next = p->link;

		refuse(e, t, &p->who, &p->req, code, text);
		free(p);
		p = next;
	}
}

/* What the next cell of the name must be worth, after one that was taken so often. */
static void learn(struct p4d_lockcells *l, struct p4d_name name, uint32_t taken)
{
	struct p4d_lock_use *u = use_of(l, name);

	if (!same(u->name, name))
		return;
	if (taken >= u->often)
		u->often = OFTEN;
	else if (u->often < OFTEN_MAX)
		u->often *= 2;
	u->times = 0;
}

/* In the switch, whose answer may have been lost: then the table is asked to do it again. */
static void note_given_back(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_name name,
			    uint64_t token)
{
	const uint64_t nobody = 0;	/* whose hold it was, the cell does not say any more */

	p4d_named_adopt(t->named, e->now, name, nobody, token, e->now + 1);
	p4d_named_release(t->named, e->now, name, nobody, token);
}

/* The table's again. The tenant's nodes can write what they like into their cells. */
static void settle(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_lockcell *c,
		   const uint32_t value[P4W_CELL_REGISTERS])
{
	uint64_t owner = (uint64_t)value[P4W_CELL_HIGH] << 32 | value[P4W_CELL_LOW];
	uint64_t token = c->base + min32(value[P4W_CELL_TAKEN], TOKENS);

	c->state = P4D_LOCKCELL_NONE;
	learn(t->cells, c->name, value[P4W_CELL_TAKEN]);
	if (owner)
		p4d_named_adopt(t->named, e->now, c->name, owner, token,
				e->now + min32(value[P4W_CELL_LEASE], e->lock_lease_us));
	else if (token > c->base)
		note_given_back(e, t, c->name, token);
	unpark(e, t, c);
}

/* ------------------------------------------------------------------------------ the block */

/* The switch has forgotten it, with who holds what. */
static void lose_block(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_lockcells *l = t->cells;
	uint64_t until = e->now + e->lock_lease_us;

	p4d_cellblock_end(e, t);
	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++) {
		struct p4d_lockcell *c = &l->cell[i];

		if (c->state == P4D_LOCKCELL_OPEN || c->state == P4D_LOCKCELL_CLOSING) {
			p4d_named_adopt(t->named, e->now, c->name, 0, c->base + TOKENS, until);
			l->lost[l->next_lost++ % P4W_BLOCK_SLOTS] =
				(struct p4d_cell_lost){ c->name, c->base, until };
		}
		c->state = P4D_LOCKCELL_NONE;
	}
	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++)
		unpark(e, t, &l->cell[i]);
}

/* -------------------------------------------------------------------------------- requests */

static bool is_in_range(uint64_t base, uint64_t token)
{
	return token > base && token <= base + TOKENS;
}

static bool may_try(const struct p4d_lockcell *c, const struct p4d_request *req)
{
	return req->type == P4W_LOCK && !req->token && req->by_cell && req->tried != c->id &&
	       req->code == P4W_LOCK_EXCLUSIVE;
}

static void tell_cell(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_lockcell *c,
		      const struct p4d_who *who, const struct p4d_request *req)
{
	const struct p4d_cell_told told = {
		.slot = slot_of(t->cells, c), .id = c->id, .base = c->base, .count = TOKENS,
		.lease_us = e->lock_lease_us, .epoch = t->cells->epoch,
	};
	uint8_t bytes[sizeof(struct p4w_cell)];

	p4d_out_reply(e, who, bytes, p4d_proto_cell(bytes, req, &told));
}

/* Who shows the token of a cell that is lost: a holder that extends. Giving back proves nothing. */
static void claim_lost(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_request *req)
{
	struct p4d_lockcells *l = t->cells;

	if (!l || req->type != P4W_LOCK || !req->token)
		return;
	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++)
		if (l->lost[i].until > e->now && same(l->lost[i].name, name_of(req)) &&
		    is_in_range(l->lost[i].base, req->token))
			p4d_named_claim(t->named, e->now, l->lost[i].name, req->owner, req->token,
					e->now + req->lease_us);
}

bool p4d_lockcell_request(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
			  const struct p4d_request *req)
{
	struct p4d_lockcell *c = find(t, name_of(req));

	if (!c) {
		claim_lost(e, t, req);
		return false;
	}
	if (req->token && !is_in_range(c->base, req->token))
		return false;		/* of a hold that was over before */
	if (c->state == P4D_LOCKCELL_OPEN && may_try(c, req)) {
		tell_cell(e, t, c, who, req);
		return true;
	}
	if (!p4d_grant_usable(e) && !e->sw_down_at) {
		refuse(e, t, who, req, P4W_REFUSED_BUSY, "the switch is away, which knows who has it");
		return true;
	}
	if (e->bundle) {
		refuse(e, t, who, req, P4W_REFUSED_ORDER, "its cell must be closed: ask alone");
		return true;
	}
	if (c->nr_parked == P4D_QUEUE_MAX) {
		refuse(e, t, who, req, P4W_REFUSED_FULL, "too many wait for the switch");
		return true;
	}
	park(e, c, who, req);
	if (c->state == P4D_LOCKCELL_OPEN)
		close_cell(e, t, c);
	return true;
}

void p4d_lockcell_join(struct p4d_engine *e, struct p4d_tenant *t, const struct p4d_who *who,
		       const struct p4d_request *req)
{
	in_addr_t addr = who->peer.sin_addr.s_addr;
	struct p4d_lockcells *l = cells_of(t);
	uint8_t bytes[sizeof(struct p4w_granted)];
	struct p4d_granted g = { .epoch = l->epoch, .lease_us = e->lock_lease_us };
	struct p4d_cell_host *h = NULL;

	if (!is_possible(e) || (l->state == P4D_BLOCK_NONE && !p4d_cellblock_begin(e, t, addr))) {
		refuse(e, t, who, req, P4W_REFUSED_FULL, "no block of the switch for cells of locks");
		return;
	}
	for (unsigned int i = 0; i < l->nr_hosts; i++)
		if (l->host[i].addr == addr)
			h = &l->host[i];
	if (!h && l->state == P4D_BLOCK_READY) {
		h = p4d_cellblock_add_host(e, t, addr);
		if (h)
			p4d_cellblock_tell_flows(e, t, h);
	}
	if (!h || h->action || l->state != P4D_BLOCK_READY) {
		refuse(e, t, who, req, h ? P4W_REFUSED_ORDER : P4W_REFUSED_FULL,
		       h ? "the switch is being told: ask again" : "no flows for cells of locks");
		return;
	}
	p4d_blocks_add(&g.blocks, l->block);
	g.flow_first = h->flow.first;
	g.flow_count = h->flow.count;
	p4d_out_reply(e, who, bytes, p4d_proto_granted(bytes, req, &g));
}

bool p4d_lockcell_wanted(const struct p4d_engine *e, const struct p4d_tenant *t,
			 struct p4d_name name)
{
	struct p4d_lock_use *u = t->cells ? use_of(t->cells, name) : NULL;

	return u && same(u->name, name) && (u->had_cell || u->times >= u->often) && is_possible(e);
}

/* A cell without a name; if all have one, the next in turn is closed, for the next time. */
static struct p4d_lockcell *spare_cell(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_lockcells *l = t->cells;
	struct p4d_lockcell *c;

	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++)
		if (l->cell[i].state == P4D_LOCKCELL_NONE)
			return &l->cell[i];
	c = &l->cell[l->victim++ % P4W_BLOCK_SLOTS];
	if (c->state == P4D_LOCKCELL_OPEN)
		close_cell(e, t, c);
	return NULL;
}

void p4d_lockcell_freed(struct p4d_engine *e, struct p4d_tenant *t, struct p4d_name name)
{
	struct p4d_lockcells *l = cells_of(t);
	struct p4d_lock_use *u = use_of(l, name);
	struct p4d_lockcell *c;

	if (!same(u->name, name)) {
		if (u->times && u->times--)
			return;
		*u = (struct p4d_lock_use){ .name = name, .often = OFTEN };
	}
	if (!p4d_named_is_free(t->named, e->now, name)) {
		u->times = 0;
		return;
	}
	u->times += u->times < u->often;
	if (u->times < u->often || l->state != P4D_BLOCK_READY || !is_possible(e))
		return;
	c = spare_cell(e, t);
	if (!c)
		return;
	u->times = 0;
	u->had_cell = true;
	open_cell(e, t, c, name);
}

/* ------------------------------------------------------------------------------ the switch */

bool p4d_lockcell_given(struct p4d_engine *e, struct p4d_tenant *t, uint64_t action)
{
	struct p4d_lockcells *l = t->cells;

	if (!l || l->state != P4D_BLOCK_GIVING || l->action != action)
		return false;
	l->state = P4D_BLOCK_READY;
	for (unsigned int i = 0; i < l->nr_hosts; i++)
		l->host[i].action = 0;
	if (l->unwanted)
		p4d_cellblock_take(e, l);
	e->must_schedule = true;	/* somebody may have come to need it */
	return true;
}

bool p4d_lockcell_taken(struct p4d_engine *e, struct p4d_tenant *t, uint64_t action,
			const uint32_t *cells)
{
	struct p4d_lockcells *l = t->cells;

	if (!l || l->state != P4D_BLOCK_TAKING || l->action != action)
		return false;
	p4d_cellblock_end(e, t);
	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++) {
		struct p4d_lockcell *c = &l->cell[i];

		if (c->state == P4D_LOCKCELL_OPEN || c->state == P4D_LOCKCELL_CLOSING)
			settle(e, t, c, cells + i * e->geo.registers);
		c->state = P4D_LOCKCELL_NONE;
		unpark(e, t, c);
	}
	return true;
}

bool p4d_lockcell_done(struct p4d_engine *e, struct p4d_tenant *t, uint64_t action,
		       const uint32_t *value)
{
	struct p4d_lockcells *l = t->cells;

	if (!l || l->state != P4D_BLOCK_READY)
		return false;
	for (unsigned int i = 0; i < l->nr_hosts; i++)
		if (l->host[i].action == action) {
			l->host[i].action = 0;
			return true;
		}
	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++) {
		struct p4d_lockcell *c = &l->cell[i];

		if (c->state == P4D_LOCKCELL_NONE || c->action != action)
			continue;
		if (c->state == P4D_LOCKCELL_CLOSING) {
			settle(e, t, c, value);
		} else if (c->state == P4D_LOCKCELL_OPENING) {
			c->state = P4D_LOCKCELL_OPEN;
			unpark(e, t, c);
		}
		return true;
	}
	return false;
}

bool p4d_lockcell_give_back(struct p4d_engine *e)
{
	e->cells_barred_until = e->now + BARRED_US;
	for (struct p4d_tenant *t = e->tenants; t; t = t->link)
		if (t->cells && t->cells->state == P4D_BLOCK_READY) {
			p4d_cellblock_take(e, t->cells);
			return true;
		}
	return false;
}

uint32_t p4d_lockcell_coming(const struct p4d_engine *e)
{
	uint32_t n = 0;

	for (const struct p4d_tenant *t = e->tenants; t && e->cell_blocks; t = t->link)
		n += t->cells && t->cells->state == P4D_BLOCK_TAKING;
	return n;
}

static void resume(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_lockcells *l = t->cells;

	if (l->state == P4D_BLOCK_GIVING)
		p4d_cellblock_give(e, t);
	if (l->state == P4D_BLOCK_TAKING)
		p4d_cellblock_take(e, l);
	if (l->state != P4D_BLOCK_READY)
		return;
	for (unsigned int i = 0; i < l->nr_hosts; i++)
		if (l->host[i].action)
			p4d_cellblock_tell_flows(e, t, &l->host[i]);
	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++)
		if (l->cell[i].state == P4D_LOCKCELL_OPENING ||
		    l->cell[i].state == P4D_LOCKCELL_CLOSING)
			order(e, t, &l->cell[i]);
}

void p4d_lockcell_reconcile(struct p4d_engine *e, struct p4d_tenant *t,
			    const struct p4d_switch_info *info, bool restarted)
{
	struct p4d_lockcells *l = t->cells;

	if (!l || l->state == P4D_BLOCK_NONE)
		return;
	if (restarted || memcmp(&e->geo, &info->geo, sizeof(e->geo)) ||
	    (l->state == P4D_BLOCK_READY && info->owner[l->block] != p4d_owner_word(t->id, l->epoch)))
		lose_block(e, t);
	else
		resume(e, t);
}

void p4d_lockcell_away(struct p4d_engine *e, struct p4d_tenant *t)
{
	for (unsigned int i = 0; t->cells && i < P4W_BLOCK_SLOTS; i++)
		refuse_parked(e, t, &t->cells->cell[i], P4W_REFUSED_BUSY,
			      "the switch is away, which knows who has it");
}

/* ------------------------------------------------------------------------------- to be shown */

int p4d_lockcell_block(const struct p4d_tenant *t)
{
	return t->cells && t->cells->state != P4D_BLOCK_NONE ? (int)t->cells->block : -1;
}

unsigned int p4d_lockcell_count(const struct p4d_tenant *t)
{
	unsigned int n = 0;

	for (unsigned int i = 0; t->cells && i < P4W_BLOCK_SLOTS; i++)
		n += t->cells->cell[i].state != P4D_LOCKCELL_NONE;
	return n;
}

/* ----------------------------------------------------------------------------------- end */

void p4d_lockcell_end(struct p4d_engine *e, struct p4d_tenant *t)
{
	struct p4d_lockcells *l = t->cells;

	if (!l)
		return;
	for (unsigned int i = 0; i < P4W_BLOCK_SLOTS; i++) {
		refuse_parked(e, t, &l->cell[i], P4W_REFUSED_TENANT, "the tenant was deleted");
		l->cell[i].state = P4D_LOCKCELL_NONE;
	}
	memset(l->lost, 0, sizeof(l->lost));
	memset(l->use, 0, sizeof(l->use));
	if (l->state == P4D_BLOCK_READY)
		p4d_cellblock_take(e, l);
	l->unwanted = true;
}

void p4d_lockcell_free(struct p4d_tenant *t)
{
	free(t->cells);
	t->cells = NULL;
}
