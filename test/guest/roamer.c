// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * roamer.c - a tenant of one node that does at random whatever the library allows: cancels, holds for
 * longer than it said, grows and shrinks while transactions run, leaves and comes back; and counts.
 *
 * Each transaction adds 1 to two keys, so it knows what each key must be when it comes back: from its
 * cell, or from the escrow. What a switch that restarted has taken with it, it knows as well.
 *
 * Written to RECORD: `used TENANT EPOCH BLOCK` for each block of a grant, as the library names them.
 */
#include <errno.h>
#include <inttypes.h>
#include <p4alloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS		4
#define KEYS_OF_A_BLOCK	2000		/* more than its cells */
#define KEYS		(BLOCKS * KEYS_OF_A_BLOCK)
#define FEW		64		/* that are used, of each block */
#define TRIES		30		/* while the allocator, or its switch, is away */

static const char usage[] =
	"usage: roamer TENANT SEED RECORD\n"
	"Until SIGTERM. Exit: 0; 1 a value is wrong, or an error has no reason; 2 usage.\n";

static volatile sig_atomic_t ended;

static struct {
	struct p4a_ctx *ctx;
	struct p4a_layout *layout;
	FILE *record;
	uint64_t seed, epoch;
	uint32_t tenant;
	struct p4a_kv kv[BLOCKS * FEW];		/* kv[b * FEW + i] is of virtual block b */
	uint32_t must[BLOCKS * FEW];		/* what we know */
	uint32_t maybe[BLOCKS * FEW];		/* additions that nobody can tell of */
	bool away[BLOCKS * FEW];		/* only the switch has it */
	bool lost;				/* the switch has forgotten the batch */
	unsigned long batches, txns, cancelled, grown, shrunk, expired, forgotten, left, escrowed, faults;
} r;

__attribute__((format(printf, 1, 2)))
static int fault(const char *fmt, ...)
{
	va_list args;

	r.faults++;
	printf("roamer: tenant %u: FAULT: ", r.tenant);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	return -EBADMSG;
}

static unsigned int below(unsigned int n)
{
	r.seed = r.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (r.seed >> 33) % n;
}

static struct p4a_info info(void)
{
	struct p4a_info i;

	p4a_info(r.ctx, &i);
	return i;
}

/* ------------------------------------------------------------------ what comes back */

static bool is_right(unsigned int i, uint32_t value)
{
	return value - r.must[i] <= r.maybe[i];
}

static int take_back(unsigned int i, uint32_t value, const char *where)
{
	int rc = is_right(i, value) ? 0 :
		fault("key %" PRIu64 " comes back from %s with %u, must be %u .. %u (epoch %" PRIu64 ")",
		      r.kv[i].key, where, value, r.must[i], r.must[i] + r.maybe[i], r.epoch);

	r.must[i] = r.kv[i].value = value;
	r.maybe[i] = 0;
	r.away[i] = false;
	return rc;
}

static int place_of(uint64_t key)
{
	for (unsigned int i = 0; i < BLOCKS * FEW; i++)
		if (r.kv[i].key == key)
			return i;
	return -1;
}

/* Again what we had in mind: nobody else has it. */
static void forget_switch(void)
{
	for (unsigned int i = 0; i < BLOCKS * FEW; i++) {
		r.away[i] = false;
		r.maybe[i] = 0;
		r.kv[i].value = r.must[i];
	}
}

/* 0, or what the fetch of the escrow ended with. All of it, so that it does not grow. */
static int fetch(bool compare)
{
	uint32_t batch = info().batch, pos = 0;
	struct p4a_escrow e;
	int rc, wrong = 0;

	while ((rc = p4a_escrow_next(r.ctx, &pos, &e)) > 0) {
		int i = e.known ? place_of(e.key) : -1;

		if (!compare || e.batch != batch || i < 0 || !r.away[i])
			continue;
		r.escrowed++;
		wrong |= take_back(i, e.value, "the escrow");
	}
	return rc ? rc : wrong;
}

static int take_completion(const struct p4a_completion *c)
{
	unsigned int a = (uintptr_t)c->user & 0xffff, b = (uintptr_t)c->user >> 16;
	bool done = c->status == P4A_TXN_OK, unknown = c->status == P4A_TXN_UNKNOWN;

	r.txns += done;
	r.must[a] += done;
	r.must[b] += done;
	r.maybe[a] += unknown;
	r.maybe[b] += unknown;
	if (c->status == P4A_TXN_VERSION || c->status == P4A_TXN_MALFORMED || c->status == P4A_TXN_ABORT)
		return fault("a transaction ends with status %u", c->status);
	return 0;
}

static int take_completions(bool all)
{
	struct p4a_completion c[32];
	int rc = 0, n = 0;

	do {
		n = info().outstanding ? p4a_wait(r.ctx, c, 32, 1000000) : p4a_poll(r.ctx, c, 32);
		if (n == -EINTR)	/* SIGTERM: what is outstanding ends first */
			n = 0;
		for (int i = 0; i < n; i++)
			rc = take_completion(&c[i]) ?: rc;
	} while (n >= 0 && !rc && all && (n || info().outstanding));
	return n < 0 ? n : rc;
}

/* ------------------------------------------------------------------ calls */

/* Made again while the allocator or its switch is away. */
#define AGAIN(call) ({						\
	int rc_, tries_ = 0;					\
	while (((rc_ = (call)) == -ETIMEDOUT || rc_ == -EHOSTDOWN) && ++tries_ < TRIES)	\
		usleep(rc_ == -EHOSTDOWN ? 300000 : 0);		\
	rc_; })

static void write_grant(void)
{
	struct p4a_info i = info();

	for (unsigned int b = 0; b < P4A_MAX_BLOCKS; b++)
		if (i.bitmap[b / 8] & 1 << b % 8)
			fprintf(r.record, "used %u %" PRIu64 " %u\n", r.tenant, i.epoch, b);
}

static int add(unsigned int a, unsigned int b)
{
	struct p4a_op ops[2] = { { r.kv[a].key, 1, P4A_ADD }, { r.kv[b].key, 1, P4A_ADD } };
	struct p4a_plan plan;
	int rc;

	if (a == b || !r.away[a] || !r.away[b] || p4a_plan(r.layout, p4a_blocks(r.ctx), ops, 2, &plan) < 2)
		return 0;
	rc = p4a_txn_submit(r.ctx, &plan, (void *)(uintptr_t)(a | b << 16));
	return rc == -EAGAIN ? take_completions(false) : rc;
}

static int run(unsigned int n)
{
	int rc = 0;

	while (n-- && rc >= 0)
		rc = add(below(BLOCKS * FEW), below(BLOCKS * FEW));
	return rc < 0 ? rc : take_completions(false);
}

/* Keys of blocks first .. end-1, all of which must be moved. */
static int fill(unsigned int first, unsigned int end)
{
	int n = (end - first) * FEW, rc;

	for (unsigned int i = first * FEW; i < end * FEW; i++)
		r.kv[i].value = r.must[i];
	rc = p4a_fill(r.ctx, r.kv + first * FEW, n);
	if (rc >= 0 && rc != n)
		return fault("%d of %d keys were filled", rc, n);
	return rc;
}

static void put_away(unsigned int first, unsigned int end)
{
	for (unsigned int i = first * FEW; i < end * FEW; i++)
		r.away[i] = true;
}

static int drain(unsigned int first, unsigned int end)
{
	int n = (end - first) * FEW, rc = AGAIN(p4a_drain(r.ctx, r.kv + first * FEW, n));

	if (rc >= 0 && rc != n)
		return fault("%d of %d keys were drained", rc, n);
	return rc;
}

/* What was drained counts from now on. */
static int settle(unsigned int first, unsigned int end)
{
	int rc = 0;

	for (unsigned int i = first * FEW; i < end * FEW; i++)
		rc |= take_back(i, r.kv[i].value, "its cell");
	return rc;
}

/* 0 also if it comes to nothing. */
static int resize(void)
{
	unsigned int before = p4a_blocks(r.ctx), want = 1 + below(BLOCKS);
	int now = AGAIN(p4a_resize(r.ctx, want)), rc;

	if (now == -EPROTO)	/* an allocator that has restarted does not know of it */
		return 0;
	if (now < 0 || (unsigned int)now == before)
		return now < 0 ? now : 0;
	rc = run(below(20));
	if (!rc)
		rc = (unsigned int)now > before ? fill(before, now) : drain(now, before);
	if (rc < 0)
		return rc;
	rc = AGAIN(p4a_sync(r.ctx, P4A_RESIZED));
	if (rc == -EPROTO) {
		/* likewise, between the two: the blocks are as before, and so are the values */
		return info().state == P4A_RUNNING || info().state == P4A_RESIZING ? -ECANCELED : rc;
	}
	if (rc < 0)
		return rc;
	if ((unsigned int)now > before) {
		put_away(before, now);
		r.grown++;
	} else {
		rc = settle(now, before);
		r.shrunk++;
	}
	write_grant();
	return rc;
}

/* From the grant to the end of the hot part. */
static int hot(void)
{
	unsigned int blocks = p4a_blocks(r.ctx), rounds = below(8);
	int rc;

	if (info().epoch <= r.epoch)
		return fault("epoch %" PRIu64 " after %" PRIu64, info().epoch, r.epoch);
	r.epoch = info().epoch;
	write_grant();
	rc = fill(0, blocks);
	if (rc >= 0)
		rc = AGAIN(p4a_sync(r.ctx, P4A_FILLED));
	if (rc < 0)
		return rc;
	put_away(0, blocks);
	r.batches++;
	while (rounds-- && rc >= 0 && !ended) {
		rc = run(below(200));
		if (rc >= 0 && !below(3))
			rc = resize();
		if (!below(8))
			usleep(below(2000000));
	}
	return rc;
}

static int end_batch(void)
{
	unsigned int blocks;
	int rc = take_completions(true);

	if (rc >= 0)
		rc = AGAIN(p4a_sync(r.ctx, P4A_RAN));
	if (rc < 0)
		return rc;
	blocks = p4a_blocks(r.ctx);
	rc = drain(0, blocks);
	if (rc == -ESTALE) {
		rc = AGAIN(p4a_done(r.ctx));
		return rc ? rc : -ESTALE;
	}
	if (rc >= 0)
		rc = settle(0, blocks);
	if (rc)
		return rc;
	for (unsigned int i = 0; i < BLOCKS * FEW; i++)
		if (r.away[i])
			return fault("key %" PRIu64 " is in no block that is held", r.kv[i].key);
	return below(2) ? AGAIN(p4a_done(r.ctx)) : 0;
}

/* ------------------------------------------------------------------ batches */

static int request(void)
{
	struct p4a_demand want = {
		.start_us = below(300000), .duration_us = 50000 + below(2000000),
		.min_blocks = 1 + below(2), .want_blocks = 2 + below(BLOCKS - 1), .flows = 1 + below(8),
	};

	return AGAIN(p4a_request(r.ctx, &want));
}

static int give_up(void)
{
	r.cancelled++;
	return AGAIN(p4a_cancel(r.ctx));
}

static int batch(void)
{
	int rc = request();

	if (rc < 0)
		return rc;
	if (!below(6))
		return give_up();
	rc = AGAIN(p4a_wait_grant(r.ctx));
	if (rc <= 0)
		return rc;
	if (!below(8))
		return give_up();
	rc = hot();
	return rc < 0 ? rc : end_batch();
}

/* The lease ended, or the switch has restarted: the reason is the allocator's. */
static int recover(void)
{
	bool lost = strstr(p4a_last_error(r.ctx), "is lost");
	int rc = take_completions(true);

	r.expired++;
	if (rc >= 0)
		rc = AGAIN(fetch(true));
	for (unsigned int i = 0; !rc && i < BLOCKS * FEW; i++)
		if (r.away[i] && !lost)
			rc = fault("the escrow lacks key %" PRIu64 " (epoch %" PRIu64 ")", r.kv[i].key,
				   r.epoch);
	r.forgotten += lost;
	forget_switch();
	return rc;
}

static int come_back(void)
{
	int rc = p4a_leave(r.ctx), tries = 0;

	r.left++;
	take_completions(true);
	forget_switch();
	do {
		rc = p4a_hello(r.ctx);
	} while (!rc && p4a_is_cold(r.ctx) && ++tries < TRIES && !usleep(300000));
	if (!rc && !p4a_is_cold(r.ctx))
		rc = AGAIN(fetch(false));
	return rc;
}

static int roam(void)
{
	int rc = 0;

	while (!ended && !r.faults && rc >= 0) {
		rc = batch();
		if (rc == -ESTALE && info().state == P4A_EXPIRED)
			rc = recover();
		else if (rc == -ESTALE || rc == -ECANCELED || rc == -ETIMEDOUT || rc == -EHOSTDOWN || !below(20))
			rc = come_back();
	}
	return rc;
}

static void on_signal(int signal)
{
	ended = 1;
}

/* FEW keys of each virtual block; a key is its own count, so that earlier ones are in lower blocks. */
static int open_tenant(void)
{
	static struct p4a_key_count kc[KEYS];
	struct p4a_options opts = { .nodes = 1, .tenant = r.tenant, .depth = 16 };
	unsigned int got[BLOCKS] = { 0 };
	struct p4a_geometry geo;
	struct p4a_error err;
	struct p4a_cell cell;
	uint32_t pos = 0;

	if (p4a_open(&r.ctx, &opts, &err))
		return fault("%s", err.text);
	if (p4a_geometry(r.ctx, &geo) || geo.blocks < BLOCKS)
		return fault("no geometry of %u blocks", BLOCKS);
	for (unsigned int i = 0; i < KEYS; i++)
		kc[i] = (struct p4a_key_count){ i, KEYS - i };
	if (p4a_layout_from_counts(&r.layout, &geo, kc, KEYS, &err) < 0)
		return fault("%s", err.text);
	while (p4a_layout_next(r.layout, 0, BLOCKS, &pos, &cell)) {
		unsigned int b = cell.slot / P4A_BLOCK_SLOTS;

		if (got[b] < FEW)
			r.kv[b * FEW + got[b]++].key = cell.key;
	}
	for (unsigned int b = 0; b < BLOCKS; b++)
		if (got[b] < FEW)
			return fault("virtual block %u has %u keys", b, got[b]);
	return p4a_use_layout(r.ctx, r.layout);
}

int main(int argc, char **argv)
{
	int rc;

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	r.tenant = atoi(argv[1]);
	r.seed = atoi(argv[2]);
	r.record = fopen(argv[3], "ae");
	if (!r.record)
		return 2;
	setvbuf(r.record, NULL, _IOLBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	rc = open_tenant();
	if (!rc)
		rc = come_back();
	if (!rc)
		rc = roam();
	if (rc < 0)
		printf("roamer: tenant %u: %s in state %s: %s\n", r.tenant, strerror(-rc),
		       r.ctx ? p4a_state_name(info().state) : "-", r.ctx ? p4a_last_error(r.ctx) : "");
	if (r.ctx)
		p4a_leave(r.ctx);
	p4a_close(r.ctx);
	p4a_layout_free(r.layout);
	printf("roamer: tenant %u: %lu batches, %lu transactions, %lu cancelled, %lu grown, %lu shrunk, %lu "
	       "expired, %lu forgotten by the switch, %lu left, %lu values from the escrow, %lu faults\n",
	       r.tenant, r.batches, r.txns, r.cancelled, r.grown, r.shrunk, r.expired, r.forgotten, r.left,
	       r.escrowed, r.faults);
	return rc < 0 || r.faults ? 1 : 0;
}
