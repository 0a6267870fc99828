// SPDX-License-Identifier: GPL-2.0-or-later
/* service.c - see service.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "log.h"
#include "loop.h"
#include "out.h"
#include "service.h"
#include "store.h"

#define STORE_RETRY_US 200000

struct p4d_service {
	struct p4d_service_conf conf;
	struct p4d_engine *engine;
	struct p4d_store *store;
	void *sw;
	bool store_ok;
	struct p4d_out *held, **held_last;	/* until what was collected for them is stored */
	struct p4d_timer deadline;	/* the engine's */
	struct p4d_timer retry;		/* of a save that failed */
};

/* --------------------------------------------------------------------------------- events */

static void on_up(void *arg, const struct p4d_switch_info *info)
{
	struct p4d_service *s = arg;

	p4d_log(P4D_NOTE, "switch up: %u registers, %u blocks, %u flows, boot %llx",
		info->geo.registers, info->geo.blocks, info->geo.flows,
		(unsigned long long)info->boot);
	if (s->engine->bound && s->engine->boot != info->boot)
		p4d_log(P4D_WARN, "the switch has restarted: all grants are lost");
	p4d_engine_switch_up(s->engine, p4d_now(), info);
	if (s->engine->sw == P4D_SWITCH_MISMATCH)
		p4d_log(P4D_WARN, "%s: p4ctl geometry set, or another switch", s->engine->sw_why);
}

static void on_down(void *arg, const char *why)
{
	struct p4d_service *s = arg;

	p4d_log(P4D_WARN, "no switch: %s; trying again", why);
	p4d_engine_switch_down(s->engine, p4d_now(), why);
}

static void on_given(void *arg, uint64_t action)
{
	struct p4d_service *s = arg;

	p4d_log(P4D_EACH, "switch: given, action %llu", (unsigned long long)action);
	p4d_engine_given(s->engine, p4d_now(), action);
}

static void on_serial(void *arg, uint64_t next)
{
	struct p4d_service *s = arg;

	p4d_engine_serial(s->engine, next);
}

static void on_taken(void *arg, uint64_t action, const uint32_t *cells)
{
	struct p4d_service *s = arg;

	p4d_log(P4D_EACH, "switch: taken%s, action %llu", cells ? " and read" : "",
		(unsigned long long)action);
	p4d_engine_taken(s->engine, p4d_now(), action, cells);
}

static void on_counted(void *arg, const struct p4d_count *count, const uint64_t *seen)
{
	struct p4d_service *s = arg;

	p4d_engine_counted(s->engine, p4d_now(), count, seen);
}

static void on_stuck(void *arg, const struct p4d_count *count, uint64_t bits)
{
	struct p4d_service *s = arg;

	p4d_log(P4D_WARN, "tenant %u: lock bits %llx are held by no packet, the switch has lost one: "
		"the batch is lost", count->tenant, (unsigned long long)bits);
	p4d_engine_stuck(s->engine, p4d_now(), count);
}

static void on_celled(void *arg, uint64_t action, const uint32_t *value)
{
	struct p4d_service *s = arg;

	p4d_engine_celled(s->engine, p4d_now(), action, value);
}

static void on_deadline(struct p4d_timer *t)
{
	struct p4d_service *s = (struct p4d_service *)
		((char *)t - offsetof(struct p4d_service, deadline));

	p4d_engine_tick(s->engine, p4d_now());
}

/* The save itself is done by the flush that follows each wake-up. */
static void on_retry(struct p4d_timer *t)
{
}

static void refuse_without_store(struct p4d_service *s, const struct p4d_who *who,
				 const void *bytes, size_t len)
{
	struct p4d_refusal why = { P4W_REFUSED_STORE, 0, 0, 0, "", "the disk may be full" };
	uint8_t reply[sizeof(struct p4w_refused)];
	struct p4d_refusal ignored;
	struct p4d_request req;

	p4d_proto_decode(bytes, len, &req, &ignored);
	s->engine->refused[why.code]++;
	s->conf.reply(s->conf.arg, who, reply, p4d_proto_refused(reply, &req, &why));
}

void p4d_service_message(struct p4d_service *s, uint32_t tenant, const struct p4d_who *who,
			 const void *bytes, size_t len)
{
	if (s->store_ok)
		p4d_engine_message(s->engine, p4d_now(), tenant, who, bytes, len);
	else
		refuse_without_store(s, who, bytes, len);
}

/* ---------------------------------------------------------------------------------- flush */

static void on_failure(struct p4d_service *s, const char *why)
{
	if (s->store_ok)
		p4d_log(P4D_WARN, "%s; answers are kept back until it works", why);
	s->store_ok = false;
	s->retry.at = p4d_now() + STORE_RETRY_US;
}

static void on_success(struct p4d_service *s)
{
	if (!s->store_ok)
		p4d_log(P4D_WARN, "store: works again");
	s->store_ok = true;
}

/* What the engine wants done until now, and the changes that must be stored before it is. */
static void collect(struct p4d_service *s)
{
	struct p4d_out *out;

	p4d_store_collect(s->store, s->engine);
	while ((out = p4d_engine_pop(s->engine))) {
		out->link = NULL;
		*s->held_last = out;
		s->held_last = &out->link;
	}
}

static void carry_out(struct p4d_service *s, const struct p4d_out *out)
{
	switch (out->kind) {
	case P4D_OUT_REPLY:
		s->conf.reply(s->conf.arg, &out->who, out->bytes, out->len);
		break;
	case P4D_OUT_GIVE:
		p4d_log(P4D_NOTE, "give %u blocks from %u on to tenant %u, epoch %llu",
			p4d_blocks_count(&out->give.blocks), p4d_blocks_next(&out->give.blocks, 0),
			out->give.tenant, (unsigned long long)out->give.epoch);
		s->conf.switch_ops->give(s->sw, &out->give);
		break;
	case P4D_OUT_TAKE:
		p4d_log(P4D_NOTE, "take %u blocks from %u on%s",
			p4d_blocks_count(&out->take.blocks), p4d_blocks_next(&out->take.blocks, 0),
			out->take.read ? " into escrow" : "");
		s->conf.switch_ops->take(s->sw, &out->take);
		break;
	case P4D_OUT_COUNT:
		s->conf.switch_ops->count(s->sw, &out->count);
		break;
	case P4D_OUT_CELL:
		p4d_log(P4D_EACH, "cell of a lock: verb %d, tenant %u, slot %u, id %u",
			out->cell.verb, out->cell.tenant, out->cell.slot, out->cell.id);
		s->conf.switch_ops->cell(s->sw, &out->cell);
		break;
	}
}

/* Nobody is told anything by an allocator whose place another one may have taken. */
static void release(struct p4d_service *s)
{
	struct p4d_out *out;

	while ((out = s->held) && p4d_store_holds(s->store)) {
		s->held = out->link;
		if (!s->held)
			s->held_last = &s->held;
		carry_out(s, out);
		free(out);
	}
}

/*
 * While a commit is under way events go on to change the engine; what they change and want done is
 * the next commit's, so that one is of all requests that came meanwhile.
 */
void p4d_service_flush(struct p4d_service *s)
{
	char err[256];
	bool again;
	int ret;

	do {
		again = p4d_store_has_changes(s->store);
		if (!again)
			collect(s);
		ret = p4d_store_commit(s->store, err, sizeof(err));
		if (!ret) {
			on_success(s);
			release(s);
		}
	} while (!ret && again);
	if (ret && ret != -EINPROGRESS)
		on_failure(s, err);
	s->deadline.at = p4d_engine_deadline(s->engine);
}

static void on_stored(void *arg, int err, const char *why)
{
	struct p4d_service *s = arg;

	if (err) {
		on_failure(s, why);
		return;
	}
	on_success(s);
	release(s);
}

struct p4d_engine *p4d_service_engine(struct p4d_service *s)
{
	return s->engine;
}

bool p4d_service_store_ok(const struct p4d_service *s)
{
	return s->store_ok;
}

/* ----------------------------------------------------------------------------- open, close */

static int open_parts(struct p4d_service *s, struct p4d_loop *loop, char *err, size_t size)
{
	struct p4d_switch_events events = { s, on_up, on_down, on_given, on_serial, on_taken,
					    on_counted, on_stuck, on_celled, s->conf.term };
	int ret;

	s->engine = p4d_engine_create(p4d_now());
	if (!s->engine)
		return -ENOMEM;
	if (getrandom(&s->engine->lock_seed, sizeof(s->engine->lock_seed), 0) < 0)
		return -errno;
	ret = s->conf.store_ops ?
		p4d_store_of(&s->store, s->conf.store_ops, s->conf.store_impl, s->conf.store,
			     on_stored, s) :
		p4d_store_open(&s->store, s->conf.store, err, size);
	if (ret)
		return ret;
	ret = p4d_store_load(s->store, s->engine, err, size);
	if (ret)
		return ret;
	s->sw = s->conf.switch_ops->open(loop, s->conf.switch_path, &events);
	return s->sw ? 0 : -ENOMEM;
}

int p4d_service_open(struct p4d_service **out, struct p4d_loop *loop,
		     const struct p4d_service_conf *conf, char *err, size_t size)
{
	struct p4d_service *s = calloc(1, sizeof(*s));
	int ret;

	snprintf(err, size, "out of memory");
	if (!s)
		return -ENOMEM;
	s->conf = *conf;
	s->store_ok = true;
	s->held_last = &s->held;
	s->deadline = (struct p4d_timer){ .at = UINT64_MAX, .due = on_deadline };
	s->retry = (struct p4d_timer){ .at = UINT64_MAX, .due = on_retry };
	ret = open_parts(s, loop, err, size);
	if (ret) {
		p4d_service_close(s);
		return ret;
	}
	p4d_loop_timer(loop, &s->deadline);
	p4d_loop_timer(loop, &s->retry);
	*out = s;
	return 0;
}

void p4d_service_close(struct p4d_service *s)
{
	if (s->sw)
		s->conf.switch_ops->close(s->sw);
	if (s->store)
		p4d_store_close(s->store);
	while (s->held) {
		struct p4d_out *out = s->held;

		s->held = out->link;
		free(out);
	}
	p4d_engine_destroy(s->engine);
	free(s);
}
