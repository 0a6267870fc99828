// SPDX-License-Identifier: GPL-2.0-or-later
/* See util_fake_switch.h. One mutex for everything; a call in a wrong state ends the test. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "util_fake_switch.h"

#define SLOTS (P4A_MAX_BLOCKS * P4A_BLOCK_SLOTS)

struct p4a_ctx {
	unsigned int node, nodes;
	const struct p4a_layout *layout;
	struct p4a_layout *locks;	/* of the batch; NULL: it refused to deal any */
	enum p4a_state state;
	unsigned int batch, want, flows;
	uint64_t epoch;
	struct p4a_completion done[4096];
	unsigned int nr_done;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static struct fake_switch what;
static uint32_t cell[P4A_MAX_REGISTERS][SLOTS];
static uint64_t epoch, serial;
static unsigned int batch, executed, submitted, arrived[64][3];
static unsigned int asked[64], left;	/* nodes that asked for a batch; that ask for no more */
static bool expired;

void fake_switch_reset(const struct fake_switch *w)
{
	what = *w;
	memset(cell, 0, sizeof(cell));
	memset(arrived, 0, sizeof(arrived));
	memset(asked, 0, sizeof(asked));
	left = 0;
	epoch = serial = batch = executed = submitted = 0;
	expired = false;
}

int p4a_open(struct p4a_ctx **out, const struct p4a_options *o, struct p4a_error *err)
{
	*out = calloc(1, sizeof(**out));
	(*out)->node = o->node;
	(*out)->nodes = o->nodes;
	return 0;
}

/* From now on no other node has to wait for this one. */
static void quit(struct p4a_ctx *c)
{
	if (c->state == P4A_LEFT)
		return;
	pthread_mutex_lock(&lock);
	left++;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
	c->state = P4A_LEFT;
}

void p4a_close(struct p4a_ctx *c)
{
	quit(c);
	p4a_layout_free(c->locks);
	free(c);
}

int p4a_is_cold(const struct p4a_ctx *c)
{
	return what.cold;
}

const char *p4a_last_error(const struct p4a_ctx *c)
{
	return "the fake switch says no";
}

int p4a_geometry(const struct p4a_ctx *c, struct p4a_geometry *geo)
{
	*geo = what.geo;
	return 0;
}

int p4a_use_layout(struct p4a_ctx *c, const struct p4a_layout *layout)
{
	c->layout = layout;
	return 0;
}

int p4a_hello(struct p4a_ctx *c)
{
	c->state = P4A_IDLE;
	return 0;
}

void p4a_info(const struct p4a_ctx *c, struct p4a_info *info)
{
	*info = (struct p4a_info){ .state = c->state, .batch = c->batch, .epoch = c->epoch,
				   .outstanding = c->nr_done };
}

static bool is_late(struct p4a_ctx *c)
{
	if (c->state != P4A_DRAINING || !c->epoch || c->epoch != what.late_epoch)
		return false;
	c->state = P4A_EXPIRED;
	return true;
}

int p4a_request(struct p4a_ctx *c, const struct p4a_demand *d)
{
	assert(c->state == P4A_IDLE || c->state == P4A_DRAINING || c->state == P4A_EXPIRED);
	if (is_late(c))
		return -ESTALE;
	c->state = P4A_RESERVED;
	c->want = d->want_blocks;
	c->flows = d->flows;
	c->batch++;
	pthread_mutex_lock(&lock);
	asked[c->batch % 64]++;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
	return 0;
}

int p4a_lock_info(struct p4a_ctx *c, const struct p4a_key_count *kc, size_t n,
		  struct p4a_layout **out)
{
	struct p4a_lock_bit *bits;
	size_t nr = 0;

	assert(c->state == P4A_RESERVED || c->state == P4A_GRANTED);
	p4a_layout_free(c->locks);
	c->locks = NULL;
	if (what.no_lock_info)
		return -EOPNOTSUPP;
	bits = malloc(n * sizeof(*bits) + 1);
	for (size_t i = 0; i < n; i++)
		if (!what.bitless_every || (kc[i].key + c->batch) % what.bitless_every)
			bits[nr++] = (struct p4a_lock_bit){ kc[i].key, kc[i].key * 7 % 32 };
	assert(!p4a_layout_relock(&c->locks, c->layout, bits, nr));
	assert(!p4a_layout_relock(out, c->layout, bits, nr));
	free(bits);
	return nr;
}

/* The masks are those of the bits that were dealt. */
static bool has_locks_of_batch(const struct p4a_ctx *c, const struct p4a_plan *plan)
{
	struct p4a_plan again = *plan;

	return !p4a_plan_relock(c->locks ? c->locks : c->layout, &again) &&
	       again.lock_check == plan->lock_check && again.lock_acquire == plan->lock_acquire;
}

int p4a_wait_grant(struct p4a_ctx *c)
{
	assert(c->state == P4A_RESERVED);
	pthread_mutex_lock(&lock);
	/* Who asks for a batch is done with the one before; until all are, nobody loses its cells. */
	while (asked[c->batch % 64] + left < c->nodes)
		pthread_cond_wait(&news, &lock);
	if (batch < c->batch) {			/* the first of the tenant's nodes */
		batch = c->batch;
		epoch++;
		serial = epoch << 24;
		executed = 0;
		expired = false;
		memset(cell, 0xaa, sizeof(cell));	/* what another tenant left there */
	}
	pthread_mutex_unlock(&lock);
	c->epoch = epoch;
	c->state = P4A_GRANTED;
	return c->want;
}

static uint32_t *cell_of(struct p4a_ctx *c, uint64_t key)
{
	struct p4a_cell at;

	if (!p4a_layout_lookup(c->layout, key, &at) || at.slot >= c->want * P4A_BLOCK_SLOTS)
		return NULL;
	return &cell[at.reg][at.slot];
}

int p4a_fill(struct p4a_ctx *c, struct p4a_kv *kv, size_t n)
{
	assert(c->state == P4A_GRANTED);
	pthread_mutex_lock(&lock);
	if (what.spoil_epoch == epoch) {
		what.spoil_epoch = 0;
		pthread_mutex_unlock(&lock);
		return -ESTALE;
	}
	for (size_t i = 0; i < n; i++) {
		assert(cell_of(c, kv[i].key));
		*cell_of(c, kv[i].key) = kv[i].value;
		serial++;
	}
	pthread_mutex_unlock(&lock);
	return n;
}

int p4a_cancel(struct p4a_ctx *c)
{
	assert(c->state == P4A_RESERVED || c->state == P4A_GRANTED);
	pthread_mutex_lock(&lock);
	expired = true;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&lock);
	c->state = P4A_IDLE;
	return 0;
}

int p4a_sync(struct p4a_ctx *c, enum p4a_phase phase)
{
	unsigned int *count = &arrived[c->batch % 64][phase];
	int rc = 0;

	assert(c->state == (phase == P4A_FILLED ? P4A_GRANTED : P4A_RUNNING));
	pthread_mutex_lock(&lock);
	++*count;
	pthread_cond_broadcast(&news);
	while (*count < c->nodes && !expired)
		pthread_cond_wait(&news, &lock);
	if (expired)
		rc = -ESTALE;
	pthread_mutex_unlock(&lock);
	c->state = rc ? P4A_EXPIRED : phase == P4A_FILLED ? P4A_RUNNING : P4A_DRAINING;
	return rc;
}

static bool nth(unsigned int every)
{
	return every && submitted % every == 0;
}

/* No key occurs twice, so the order of passes does not matter. False: a CADD says no. */
static bool execute(const struct p4a_plan *plan, struct p4a_completion *done)
{
	uint32_t after[P4A_MAX_INSTRS], sum = 0;

	for (unsigned int i = 0; i < plan->count; i++) {
		const struct p4a_instr *in = &plan->instr[i];

		done->result[i] = cell[in->reg][in->slot];
		after[i] = p4a_apply(in->op, in->operand, done->result[i], sum);
		if ((in->op & P4A_CODE) == P4A_CADD && (int32_t)after[i] < 0)
			return false;
		sum += in->op & P4A_SOURCE ? done->result[i] : 0;
	}
	for (unsigned int i = 0; i < plan->count; i++)
		cell[plan->instr[i].reg][plan->instr[i].slot] = after[i];
	done->serial = serial++;
	executed++;
	return true;
}

static enum p4a_txn_status judge(void)
{
	submitted++;
	if (what.expire_epoch == epoch && executed >= what.expire_txns) {
		expired = true;
		pthread_cond_broadcast(&news);
	}
	if (expired)
		return P4A_TXN_STALE;
	if (nth(what.conflict_every))
		return P4A_TXN_CONFLICT;
	return nth(what.abort_every) ? P4A_TXN_ABORT : P4A_TXN_OK;
}

int p4a_txn_submit(struct p4a_ctx *c, const struct p4a_plan *plan, void *user)
{
	struct p4a_completion *done = &c->done[c->nr_done];

	assert(has_locks_of_batch(c, plan));
	assert(c->state == P4A_RUNNING && plan->count);
	if (c->nr_done == c->flows)
		return -EAGAIN;
	*done = (struct p4a_completion){ .user = user, .epoch = c->epoch, .count = plan->count };
	pthread_mutex_lock(&lock);
	done->status = judge();
	if (done->status == P4A_TXN_OK && !execute(plan, done))
		done->status = P4A_TXN_ABORT;
	if (what.flip_epoch == epoch && cell_of(c, what.flip_key)) {
		*cell_of(c, what.flip_key) ^= 0x100;
		what.flip_epoch = 0;
	}
	pthread_mutex_unlock(&lock);
	c->nr_done++;
	return 0;
}

/* Last in, first out: completions are not in the order of serials. */
int p4a_wait(struct p4a_ctx *c, struct p4a_completion *out, unsigned int max, int64_t timeout_us)
{
	unsigned int n = 0;

	while (n < max && c->nr_done)
		out[n++] = c->done[--c->nr_done];
	return n;
}

int p4a_drain(struct p4a_ctx *c, struct p4a_kv *kv, size_t n)
{
	assert(c->state == P4A_DRAINING);
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n; i++)
		kv[i].value = *cell_of(c, kv[i].key);
	pthread_mutex_unlock(&lock);
	return n;
}

int p4a_done(struct p4a_ctx *c)
{
	assert(c->state == P4A_DRAINING);
	if (is_late(c))
		return -ESTALE;
	c->state = P4A_IDLE;
	return 0;
}

static bool is_away(void)
{
	bool away;

	pthread_mutex_lock(&lock);
	away = what.away > 0;
	what.away -= away;
	pthread_mutex_unlock(&lock);
	return away;
}

int p4a_leave(struct p4a_ctx *c)
{
	if (is_away())
		return -ETIMEDOUT;
	quit(c);
	return 0;
}

int p4a_escrow_next(struct p4a_ctx *c, uint32_t *pos, struct p4a_escrow *e)
{
	unsigned int regs = what.geo.registers, slots = what.geo.blocks * P4A_BLOCK_SLOTS;
	struct p4a_cell at;

	assert(c->state == P4A_EXPIRED);
	if (is_away())
		return -ETIMEDOUT;
	if (*pos >= regs * slots)
		return 0;
	*e = (struct p4a_escrow){ .batch = c->batch, .reg = *pos % regs, .slot = *pos / regs };
	e->known = p4a_layout_at(c->layout, e->reg, e->slot, &at);
	e->key = e->known ? at.key : 0;
	e->value = cell[e->reg][e->slot];
	++*pos;
	return 1;
}
