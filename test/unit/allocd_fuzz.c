// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocd_fuzz.c - tenants that send anything, beside tenants that do everything right.
 *
 * Every kind of request, made to fit what the sender's tenant has under way so that it gets deep,
 * then as it is, or with fields changed, cut short or lengthened, spliced with another one, sent again
 * much later or by somebody else; and bytes that mean nothing. In rough worlds the switch goes away or
 * restarts, the allocator restarts from its store, and tenants are deleted and come back.
 *
 * Built with address and undefined behaviour sanitizers; each message and each answer is a heap block
 * of its very length. Checked: each request is answered once, by an answer that the library
 * takes; those who do right are never refused nor starved; memory stays bounded; what the engine says
 * of blocks agrees with the switch; and when the others are gone, nothing of them is left. The
 * answers, spoiled likewise, go to the library's decoder.
 *
 * MESSAGES=n SEED=n for longer runs: a world has WORLD_MESSAGES, the next one another seed.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/msg.h"
#include "../../tools/p4allocd/store.h"
#include "allocd_world.h"
#include "fuzz_good.h"
#include "fuzz_make.h"

#define MESSAGES 160000		/* in `make test` */
#define WORLD_MESSAGES 40000
#define TENANTS FUZZ_TENANTS	/* the first GOOD_TENANTS of them do right */
#define LONGEST 65536		/* that the allocator is shown of a message */
#define MEMORY (48u << 20)	/* that a world may take */
#define LONGEST_WAIT_US 30000000
#define STORE "/dev/shm/allocd_fuzz"

/* Of the address sanitizer, whose header Debian's gcc lacks. */
size_t __sanitizer_get_current_allocated_bytes(void);

static const struct p4d_policy policy = { .lease_max_us = 200000, .grace_us = 5000 };

static struct {
	struct world *w;
	struct good *good;
	struct p4d_store *store;
	char store_path[64];
	bool rough;
	bool locks_only;		/* nobody asks for blocks for a while */
	uint64_t rpc_base, answer_base;	/* at the last restart */
} f;

static uint64_t messages, accepted[256], refused[P4D_REFUSALS], decoded, rejected, longest_wait;
static unsigned int batches;

/* ------------------------------------------------------------------------------------ answers */

/* The readers may be called for what has passed the check, and keep what they promise. */
static bool decode(const void *bytes, size_t len, struct p4a_error *err)
{
	static const struct p4a_geometry geo = { 8, 16, 4 };
	static struct p4a_escrow entry[P4W_ESCROW_MAX];
	static struct p4a_lock_bit bit[P4W_LOCK_KEYS_MAX];
	struct p4a_known_cell cell = { 0 };
	struct p4a_welcome w;
	struct p4a_reserved r;
	struct p4a_grant g;
	struct p4a_lock lock;
	uint32_t total, first;
	int rc;

	err->text[0] = 0;
	rc = p4a_msg_check(bytes, len, 0, err);

	assert_true(rc > 0 || err->text[0]);
	assert_non_null(memchr(err->text, 0, sizeof(err->text)));
	switch (rc) {
	case P4W_WELCOME:
		rc = p4a_msg_read_welcome(bytes, &w, err);
		assert_true(rc || (w.geo.blocks <= P4W_MAX_BLOCKS && w.batch));
		break;
	case P4W_RESERVED:
		p4a_msg_read_reserved(bytes, &r);
		break;
	case P4W_GRANTED:
	case P4W_CELLS:
		rc = p4a_msg_read_granted(bytes, &geo, &g, err);
		assert_true(rc || (g.blocks <= geo.blocks && g.epoch));
		break;
	case P4W_RESIZED:
		rc = p4a_msg_read_resized(bytes, &geo, &g, err);
		assert_true(rc <= geo.blocks);
		break;
	case P4W_ESCROW:
		memcpy(&first, (const char *)bytes + offsetof(struct p4w_escrow, first), 4);
		rc = p4a_msg_read_escrow(bytes, ntohl(first), &geo, entry, &total, err);
		assert_true(rc <= (int)(len / sizeof(struct p4w_escrow_entry)));
		if (ntohl(first) > total)	/* as it was asked for */
			rc = 0;
		break;
	case P4W_LOCKS:
		rc = p4a_msg_read_locks(bytes, bit, err);
		assert_true(rc <= (int)(len / sizeof(struct p4w_lock_bit)));
		break;
	case P4W_LOCKED:
		rc = p4a_msg_read_locked(bytes, &lock, &total, err);
		break;
	case P4W_CELL:
		rc = p4a_msg_read_cell(bytes, &cell, err);
		assert_true(rc || cell.slot < P4W_BLOCK_SLOTS);
		break;
	}
	return rc >= 0;
}

/* Each part is as long as it says, but within what is left, and so never nothing. */
static void decode_parts(const uint8_t *bytes, size_t len)
{
	struct p4a_error err;

	for (size_t at = sizeof(struct p4w_msg); at < len;) {
		uint32_t part = p4a_msg_part(bytes + at, len - at);

		assert_true(part <= len - at);
		decode(bytes + at, part, &err);
		if (part < sizeof(struct p4w_msg))
			break;
		at += part;
	}
}

static void decode_spoiled(const void *bytes, size_t len)
{
	static uint8_t copy[P4D_REPLY_MAX + 1024];
	struct p4a_error err;
	uint8_t *exact;

	memcpy(copy, bytes, len);
	for (unsigned int n = 1 + fuzz_rnd(2); n; n--)
		len = fuzz_spoil(copy, len, sizeof(copy));
	exact = malloc(len);
	memcpy(exact, copy, len);
	if (decode(exact, len, &err))
		decoded++;
	else
		rejected++;
	if (len > sizeof(struct p4w_msg) && exact[1] == P4W_BUNDLED)
		decode_parts(exact, len);
	free(exact);
}

static void on_answer(struct world *w, uint64_t rpc, const void *bytes, size_t len)
{
	const struct p4w_msg *m = bytes;
	struct p4a_error err;
	bool is_good = good_answer(f.good, rpc, bytes, len);

	if (m->type == P4W_REFUSED) {
		const struct p4w_refused *no = bytes;

		assert_int_equal(len, sizeof(*no));
		assert_non_null(p4d_refusal_name(ntohl(m->code)));
		refused[ntohl(m->code)] += !is_good;
	} else {
		if (!decode(bytes, len, &err))
			fail_msg("the library refuses an answer of type 0x%x: %s", m->type, err.text);
		accepted[m->type] += !is_good;
	}
	fuzz_heard(rpc, bytes);
	decode_spoiled(bytes, len);
}

/* --------------------------------------------------------------------------------- one message */

static struct p4d_tenant *tenant_of(uint32_t id)
{
	for (struct p4d_tenant *t = f.w->e->tenants; t; t = t->link)
		if (t->id == id)
			return t;
	return NULL;
}

static uint32_t some_sender(void)
{
	if (fuzz_rnd(40))
		return GOOD_TENANTS + 1 + fuzz_rnd(TENANTS - GOOD_TENANTS);
	return fuzz_rnd(2) ? 0 : fuzz_rnd(2) ? 99 : P4W_TENANT_MAX;
}

static void send_hostile(void)
{
	static uint8_t bytes[1 << 17];
	uint32_t sender = some_sender();
	size_t len, here;
	uint8_t *exact;

	len = fuzz_make(bytes, tenant_of(sender), f.locks_only);
	for (unsigned int n = fuzz_rnd(5) < 2 ? 1 + fuzz_rnd(2) : 0; n; n--)
		len = fuzz_spoil(bytes, len, sizeof(bytes));
	if (!fuzz_rnd(50))
		for (size_t i = len = fuzz_rnd(200); i; i--)
			bytes[i - 1] = fuzz_rnd(256);
	/* Of a longer one the rest is elsewhere, see server.c. */
	here = len < LONGEST ? len : LONGEST;
	exact = malloc(here ?: 1);
	memcpy(exact, bytes, here);
	fuzz_sends(sender, f.w->rpc + 1, exact, here);
	f.w->peer = htonl(0x0a000001 + fuzz_rnd(4));
	world_send_bytes(f.w, sender, exact, len);
	free(exact);
	messages++;
}

/* -------------------------------------------------------------------------------------- trouble */

static void save(void)
{
	char err[256];

	assert_int_equal(p4d_store_save(f.store, f.w->e, err, sizeof(err)), 0);
}

static void open_store(struct p4d_engine *e)
{
	char err[256];

	assert_int_equal(p4d_store_open(&f.store, f.store_path, err, sizeof(err)), 0);
	if (p4d_store_load(f.store, e, err, sizeof(err)))
		fail_msg("%s", err);
}

static void know_tenant(uint32_t id)
{
	struct p4d_tenant_conf conf = { id, "t", 1 + fuzz_rnd(200), fuzz_rnd(2), 1 + fuzz_rnd(P4W_MAX_BLOCKS) };

	if (id <= GOOD_TENANTS)
		conf = (struct p4d_tenant_conf){ id, "good", 100, 1, P4W_MAX_BLOCKS };
	p4d_engine_tenant(f.w->e, f.w->now, &conf);
	world_collect(f.w);
}

static void restart_allocator(void)
{
	struct p4d_engine *e;

	save();
	e = p4d_engine_create(f.w->now);
	p4d_store_close(f.store);
	open_store(e);
	world_replace_engine(f.w, e);
	for (uint32_t id = 1; id <= TENANTS; id++)
		know_tenant(id);
	p4d_engine_policy(e, f.w->now, &policy);
	world_switch_up(f.w);
	f.rpc_base = f.w->rpc;
	f.answer_base = f.w->answers;
	good_restarted(f.good);
}

static void trouble(void)
{
	uint32_t id = GOOD_TENANTS + 1 + fuzz_rnd(TENANTS - GOOD_TENANTS);

	if (!f.w->connected) {
		world_switch_up(f.w);
		return;
	}
	switch (fuzz_rnd(6)) {
	case 0:
		restart_allocator();
		break;
	case 1:
		world_switch_restart(f.w);
		break;
	case 2:
		world_switch_down(f.w);
		break;
	case 3:
		f.w->stuck = true;
		break;
	case 4:
		p4d_engine_tenant_gone(f.w->e, f.w->now, id);
		world_collect(f.w);
		break;
	default:
		know_tenant(id);
	}
}

/* --------------------------------------------------------------------------------------- checks */

static void check_owners(void)
{
	const struct p4d_engine *e = f.w->e;
	unsigned int held[WORLD_TENANTS] = { 0 };

	for (const struct p4d_tenant *t = e->tenants; t; t = t->link) {
		if (!t->cur)
			continue;
		p4d_blocks_each(&t->cur->blocks, b) {
			assert_int_equal(e->owner[b], t->id);
			held[t->id]++;
		}
		if (t->cur->state == P4D_HELD && f.w->connected)
			p4d_blocks_each(&t->cur->blocks, b)
				assert_int_equal(f.w->owner[b], p4d_owner_word(t->id, t->cur->epoch));
	}
	for (unsigned int b = 0; b < e->geo.blocks; b++)
		assert_true(e->owner[b] <= TENANTS);
	/* A good tenant has what its batch says, and perhaps one block of locks or new ones. */
	for (unsigned int id = 1; id <= GOOD_TENANTS; id++)
		assert_true(held[id] <= 6);
	if (__sanitizer_get_current_allocated_bytes() > MEMORY)
		fail_msg("%zu bytes", __sanitizer_get_current_allocated_bytes());
}

static void pass(uint32_t us)
{
	f.w->now += us;
	if (p4d_engine_deadline(f.w->e) > f.w->now)
		return;
	p4d_engine_tick(f.w->e, f.w->now);
	assert_true(p4d_engine_deadline(f.w->e) > f.w->now);	/* or it would spin */
	world_collect(f.w);
}

static void step(bool hostile)
{
	if (hostile)
		send_hostile();
	if (fuzz_rnd(2))
		good_act(f.good, fuzz_rnd(UINT32_MAX));
	for (unsigned int n = fuzz_rnd(3); n; n--)
		world_switch_step(f.w);
	pass(fuzz_rnd(f.locks_only ? 800 : 200));
}

/* What deleted tenants had goes back as that of dead ones does. */
static void only_good_are_left(void)
{
	unsigned int before = good_batches(f.good);

	p4d_engine_tenants_begin(f.w->e);
	for (uint32_t id = 1; id <= GOOD_TENANTS; id++)
		know_tenant(id);
	p4d_engine_tenants_end(f.w->e, f.w->now);
	world_collect(f.w);
	if (!f.w->connected)
		world_switch_up(f.w);
	for (unsigned int i = 0; i < 4000; i++)
		step(false);
	assert_true(good_batches(f.good) >= before + 10);
	world_settle(f.w);
	assert_int_equal(f.w->answers - f.answer_base + good_waiting(f.good),
			 f.w->rpc - f.rpc_base);
	for (const struct p4d_tenant *t = f.w->e->tenants; t; t = t->link)
		assert_true(t->id <= GOOD_TENANTS || (!t->cur && !t->next && !t->named));
	for (unsigned int b = 0; b < f.w->e->geo.blocks; b++)
		assert_true(f.w->e->owner[b] <= GOOD_TENANTS &&
			    f.w->owner[b] >> P4W_EPOCH_BITS <= GOOD_TENANTS);
}

static void run_world(uint64_t seed, uint64_t count)
{
	memset(&f, 0, sizeof(f));
	fuzz_seed(seed);
	f.rough = seed % 2;
	snprintf(f.store_path, sizeof(f.store_path), STORE ".%d", getpid());
	unlink(f.store_path);
	f.w = world_create(8, 16, 256, 0);
	f.good = good_create(f.w);
	f.w->on_answer = on_answer;
	open_store(f.w->e);
	p4d_engine_policy(f.w->e, f.w->now, &policy);
	world_switch_up(f.w);
	for (uint32_t id = 1; id <= TENANTS; id++)
		know_tenant(id);
	if (f.rough)
		good_rough(f.good);
	for (uint64_t i = 0; i < count; i++) {
		step(true);
		if (!fuzz_rnd(f.locks_only ? 8000 : 4000))
			f.locks_only = !f.locks_only;
		if (f.rough && !fuzz_rnd(1000))
			trouble();
		if (!fuzz_rnd(64))
			check_owners();
		if (!fuzz_rnd(4000))
			save();
	}
	if (!f.rough)
		assert_true(good_longest_wait(f.good) < LONGEST_WAIT_US);
	if (good_longest_wait(f.good) > longest_wait)
		longest_wait = good_longest_wait(f.good);
	only_good_are_left();
	batches += good_batches(f.good);
	p4d_store_close(f.store);
	world_destroy(f.w);
	good_destroy(f.good);
	unlink(f.store_path);
}

static uint64_t setting(const char *name, uint64_t usual)
{
	return getenv(name) ? strtoull(getenv(name), NULL, 0) : usual;
}

static void report(uint64_t seed)
{
	uint64_t yes = 0, no = 0;

	for (unsigned int i = 0; i < 256; i++)
		yes += accepted[i];
	for (unsigned int i = 0; i < P4D_REFUSALS; i++)
		no += refused[i];
	print_message("seed %" PRIu64 " on, %" PRIu64 " messages: %" PRIu64 " served, %" PRIu64
		      " refused; of spoiled answers %" PRIu64 " read, %" PRIu64 " refused; "
		      "%u batches beside them, longest wait %" PRIu64 " us\n", seed, messages, yes,
		      no, decoded, rejected, batches, longest_wait);
}

static void fuzz__nothing_stops_the_service(void **state)
{
	uint64_t count = setting("MESSAGES", MESSAGES), seed = setting("SEED", 1);

	for (uint64_t done = 0, s = seed; done < count; done += WORLD_MESSAGES)
		run_world(s++, count - done < WORLD_MESSAGES ? count - done : WORLD_MESSAGES);
	if (getenv("MESSAGES"))
		report(seed);
	/* It got deep: each kind was served. */
	for (unsigned int type = P4W_WELCOME; type <= P4W_RESIZED; type++)
		if (!accepted[type])
			fail_msg("no answer of type 0x%x", type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fuzz__nothing_stops_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
