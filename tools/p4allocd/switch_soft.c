// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch_soft.c - the software switch, over its control socket (doc/switch.md).
 *
 * Commands go out in order and answers come back in order, so a queue of steps says what each
 * answer is for. Any answer that is not {"ok":true,...} ends the connection: the engine starts
 * over when it is back, which takes longer each time, as the next answer will hardly be another.
 * The first command says which version of the socket we speak, the answer up to which one the switch
 * does. Give: cells of others are cleared, then one batch with the flows, the lock
 * and serial words and, last, the owner words. Take: one batch, so that no block is without an owner and
 * not drained if we or the connection end: owner words to 0, drain, how far the serials went; after its
 * answer the cells are read. Count: one batch that reads and clears the counters and, behind a drain, so
 * that no packet is between its passes, reads the lock word.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"
#include "jsonline.h"
#include "soft_answer.h"
#include "soft_cmd.h"
#include "switch.h"

#define RETRY_US	200000	/* between attempts to connect */
#define RETRY_MAX_US	5000000	/* to a switch that has refused one command after the other */
#define ANSWER_US	10000000	/* a switch that is silent for so long is gone */
#define LINE_MAX_BYTES	(1 << 20)
#define COUNT_LOCK	3	/* place of the lock word among the answers to a count */
#define TAKE_SERIALS	2	/* likewise, to a take */
#define LINE_CELLS	4096	/* read or filled by one, as many as p4switch takes */

enum step_kind {
	STEP_INFO, STEP_OWNER, STEP_SERIAL,	/* when it has connected */
	STEP_PLAIN, STEP_GIVEN, STEP_FENCED, STEP_READ, STEP_COUNTED, STEP_CELL,
	STEP_CLOSED
};

struct take {			/* one that is under way */
	struct p4d_take what;
	unsigned int blocks;
	unsigned int to_come;	/* answers with cells */
	uint32_t *cells;
};

struct step {
	struct step *link;
	enum step_kind kind;
	uint64_t action;	/* GIVEN, CELL, CLOSED */
	struct take *take;	/* FENCED, READ */
	unsigned int first, count;	/* READ: slots; first: in order of the take */
	struct p4d_count of;	/* COUNTED */
};

struct soft {
	struct p4d_lines lines;	/* first: see p4d_lines.watch */
	struct p4d_timer timer;	/* the next attempt, or patience with a silent switch */
	struct p4d_loop *loop;
	char *path;
	struct p4d_switch_events events;
	bool up;
	char told[256];		/* why it is down; "": it is up, or nothing was told yet */
	uint64_t retry_us, refused_at;	/* the last refusal, and the pause after it */
	struct p4d_switch_info info;
	uint64_t owner[P4W_MAX_BLOCKS], serial[P4W_MAX_BLOCKS];
	struct step *first, **last;
};

/* Sends a command and notes what its answer will mean. */
static struct step *send_step(struct soft *sw, enum step_kind kind, struct json_object *o)
{
	struct step *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->kind = kind;
	if (sw->events.term)
		p4d_cmd_set(o, "term", sw->events.term);
	*sw->last = s;
	sw->last = &s->link;
	p4d_lines_send(&sw->lines, o);
	sw->timer.at = p4d_now() + ANSWER_US;
	return s;
}

/* ----------------------------------------------------------------------------------- down */

static void free_take(struct take *t)
{
	free(t->cells);
	free(t);
}

/* A take is in the queue as one FENCED or as some READs, the last of which frees it. */
static void forget_steps(struct soft *sw)
{
	struct step *s;

	while ((s = sw->first)) {
		sw->first = s->link;
		if (s->kind == STEP_FENCED || (s->kind == STEP_READ && !--s->take->to_come))
			free_take(s->take);
		free(s);
	}
	sw->last = &sw->first;
}

static void go_down(struct soft *sw, uint64_t pause_us, const char *fmt, va_list args)
{
	char why[sizeof(sw->told)];

	vsnprintf(why, sizeof(why), fmt, args);
	p4d_lines_close(&sw->lines);
	forget_steps(sw);
	sw->timer.at = p4d_now() + pause_us;
	if (sw->up || strcmp(why, sw->told))
		sw->events.down(sw->events.arg, why);
	sw->up = false;
	strcpy(sw->told, why);
}

__attribute__((format(printf, 2, 3)))
static void fail(struct soft *sw, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	go_down(sw, RETRY_US, fmt, args);
	va_end(args);
}

/* It is there and understands us, but not this: what it says next time will hardly be anything else. */
__attribute__((format(printf, 2, 3)))
static void refused(struct soft *sw, const char *fmt, ...)
{
	uint64_t now = p4d_now();
	va_list args;

	if (now - sw->refused_at > 4 * RETRY_MAX_US)
		sw->retry_us = 0;
	sw->retry_us = sw->retry_us ? 2 * sw->retry_us : RETRY_US;
	if (sw->retry_us > RETRY_MAX_US)
		sw->retry_us = RETRY_MAX_US;
	sw->refused_at = now;
	va_start(args, fmt);
	go_down(sw, sw->retry_us, fmt, args);
	va_end(args);
}

/* -------------------------------------------------------------------------------- answers */

/* It names none: it is older than the first that is named, or does not look at fields that it does not know. */
static void refuse_control(struct soft *sw, const char *says)
{
	refused(sw, "switch %s speaks another version of the control socket than this allocator, %d (%s): "
		"start the p4switch that came with this p4allocd", sw->path, P4W_CONTROL_VERSION, says);
}

static bool take_info(struct soft *sw, struct json_object *o)
{
	uint64_t version, control, registers, dependent, blocks, slots, flows;

	if (!p4d_answer_uint(o, "version", UINT64_MAX, &version) ||
	    !p4d_answer_uint(o, "registers", P4W_MAX_REGISTERS, &registers) || !registers ||
	    !p4d_answer_uint(o, "dependent", registers - 1, &dependent) ||
	    !p4d_answer_uint(o, "blocks", P4W_MAX_BLOCKS, &blocks) || !blocks ||
	    !p4d_answer_uint(o, "flows", 65536, &flows) || !flows ||
	    !p4d_answer_uint(o, "block_slots", P4W_BLOCK_SLOTS, &slots) || slots != P4W_BLOCK_SLOTS ||
	    !p4d_answer_uint(o, "boot", UINT64_MAX, &sw->info.boot)) {
		refused(sw, "switch %s: its info is not one of a p4switch", sw->path);
		return false;
	}
	if (version != P4W_VERSION) {
		refused(sw, "switch %s speaks version %llu, this allocator %d", sw->path,
			(unsigned long long)version, P4W_VERSION);
		return false;
	}
	if (!p4d_answer_uint(o, "control", UINT64_MAX, &control) || control < P4W_CONTROL_VERSION) {
		refuse_control(sw, "it names none");
		return false;
	}
	sw->info.geo = (struct p4d_geometry){ registers, blocks, flows, dependent };
	send_step(sw, STEP_OWNER, p4d_cmd_read_cells("owner", 0, blocks));
	send_step(sw, STEP_SERIAL, p4d_cmd_read_cells("serial", 0, blocks));
	return true;
}

static void come_up(struct soft *sw)
{
	sw->info.owner = sw->owner;
	sw->info.serial = sw->serial;
	sw->up = true;
	sw->told[0] = '\0';
	sw->events.up(sw->events.arg, &sw->info);
}

/* Calls fn for each run of neighbouring blocks: the first one, its place in the set, how many. */
static void each_run(const struct p4d_blocks *set, unsigned int longest, void *arg,
		     void (*fn)(void *arg, unsigned int first, unsigned int nth, unsigned int n))
{
	unsigned int nth = 0, b = p4d_blocks_next(set, 0);

	while (b < P4W_MAX_BLOCKS) {
		unsigned int n = 1;

		while (n < longest && b + n < P4W_MAX_BLOCKS && p4d_blocks_has(set, b + n))
			n++;
		fn(arg, b, nth, n);
		nth += n;
		b = p4d_blocks_next(set, b + n);
	}
}

/* Of all registers; a slot has 32 at most. The data plane stands still for a line. */
static unsigned int blocks_in_line(const struct soft *sw)
{
	return LINE_CELLS / (sw->info.geo.registers * P4W_BLOCK_SLOTS);
}

struct reading { struct soft *sw; struct take *t; };

static void read_run(void *arg, unsigned int first, unsigned int nth, unsigned int n)
{
	struct reading *r = arg;
	struct json_object *o = p4d_cmd_read_cells("r*", first * P4W_BLOCK_SLOTS,
						   n * P4W_BLOCK_SLOTS);
	struct step *s;

	json_object_object_add(o, "base64", json_object_new_boolean(true));
	s = send_step(r->sw, STEP_READ, o);
	s->take = r->t;
	s->first = nth * P4W_BLOCK_SLOTS;
	s->count = n * P4W_BLOCK_SLOTS;
	r->t->to_come++;
}

static void drained(struct soft *sw, struct take *t)
{
	struct reading r = { sw, t };
	uint64_t action = t->what.action;

	if (t->what.read) {
		t->cells = calloc(t->blocks * P4W_BLOCK_SLOTS * sw->info.geo.registers + 1,
				  sizeof(*t->cells));
		if (!t->cells)
			abort();
		each_run(&t->what.blocks, blocks_in_line(sw), &r, read_run);
		return;
	}
	free_take(t);
	sw->events.taken(sw->events.arg, action, NULL);
}

/* Only a home block counts serials; what the others hold is older. */
static bool take_serials(struct soft *sw, struct take *t, struct json_object *o)
{
	struct json_object *results = p4d_answer_results(o);
	uint64_t values[P4W_MAX_BLOCKS];

	if (!results ||
	    !p4d_answer_values(json_object_array_get_idx(results, TAKE_SERIALS), values, t->blocks))
		return false;
	for (unsigned int i = 0; i < t->blocks; i++)
		sw->events.serial(sw->events.arg, values[i]);
	drained(sw, t);
	return true;
}

/* Lines come in order, so what goes beyond the cells of one is overwritten by the next. */
static bool take_cells(struct soft *sw, struct step *s, const struct p4d_digits *text)
{
	unsigned int registers = sw->info.geo.registers;
	struct take *t = s->take;

	if (!p4d_digits_cells(text, t->cells + s->first * registers, s->count * registers))
		return false;
	if (!--t->to_come) {
		sw->events.taken(sw->events.arg, t->what.action, t->cells);
		free_take(t);
	}
	return true;
}

static bool take_counts(struct soft *sw, struct step *s, struct json_object *o)
{
	struct json_object *results = p4d_answer_results(o);
	uint64_t seen[P4W_MAX_BLOCKS], bits;

	if (!results ||
	    !p4d_answer_values(json_object_array_get_idx(results, 0), seen,
			p4d_blocks_count(&s->of.blocks)))
		return false;
	sw->events.counted(sw->events.arg, &s->of, seen);
	if (!p4d_answer_values(json_object_array_get_idx(results, COUNT_LOCK), &bits, 1))
		return false;
	if (bits)
		sw->events.stuck(sw->events.arg, &s->of, bits);
	return true;
}

/* The registers of one slot, an answer each. */
static bool take_closed(struct soft *sw, struct step *s, struct json_object *o)
{
	struct json_object *results = p4d_answer_results(o);
	uint32_t value[P4W_CELL_REGISTERS];
	uint64_t one;

	if (!results)
		return false;
	for (unsigned int r = 0; r < P4W_CELL_REGISTERS; r++) {
		if (!p4d_answer_values(json_object_array_get_idx(results, r), &one, 1))
			return false;
		value[r] = one;
	}
	sw->events.celled(sw->events.arg, s->action, value);
	return true;
}

/* False: the answer lacks what it should have. */
static bool use_answer(struct soft *sw, struct step *s, struct json_object *o,
		       const struct p4d_digits *text)
{
	switch (s->kind) {
	case STEP_INFO:
		take_info(sw, o);
		return true;
	case STEP_OWNER:
		return p4d_answer_values(o, sw->owner, sw->info.geo.blocks);
	case STEP_SERIAL:
		if (!p4d_answer_values(o, sw->serial, sw->info.geo.blocks))
			return false;
		come_up(sw);
		return true;
	case STEP_GIVEN:
		sw->events.given(sw->events.arg, s->action);
		return true;
	case STEP_FENCED:
		return take_serials(sw, s->take, o);
	case STEP_READ:
		return take_cells(sw, s, text);
	case STEP_COUNTED:
		return take_counts(sw, s, o);
	case STEP_CELL:
		sw->events.celled(sw->events.arg, s->action, NULL);
		return true;
	case STEP_CLOSED:
		return take_closed(sw, s, o);
	case STEP_PLAIN:
		return true;
	}
	return true;
}

/* What was asked for when it was refused. */
static const char *name_of(enum step_kind kind)
{
	static const char *const names[] = {
		[STEP_INFO] = "info", [STEP_OWNER] = "reg_read of owner",
		[STEP_SERIAL] = "reg_read of serial", [STEP_PLAIN] = "reg_fill of r*",
		[STEP_GIVEN] = "batch that gives blocks", [STEP_FENCED] = "batch that takes blocks",
		[STEP_READ] = "reg_read of r*", [STEP_COUNTED] = "batch that counts",
		[STEP_CELL] = "batch that opens a cell", [STEP_CLOSED] = "batch that closes a cell",
	};

	return names[kind];
}

static void on_refusal(struct soft *sw, const struct step *s, struct json_object *o, const char *text)
{
	if (!s || !*p4d_answer_text(o, "error"))
		refused(sw, "switch %s answered: %.120s", sw->path, text);
	else if (s->kind == STEP_INFO && !strcmp(p4d_answer_text(o, "field"), "control"))
		refuse_control(sw, p4d_answer_text(o, "error"));
	else
		refused(sw, "switch %s refuses a %s: %.60s: %.60s", sw->path, name_of(s->kind),
			p4d_answer_text(o, "field"), p4d_answer_text(o, "error"));
}

static void on_line(struct p4d_lines *l, char *text)
{
	struct soft *sw = (struct soft *)l;
	struct step *s = sw->first;
	struct p4d_digits digits;
	struct json_object *o = p4d_digits_parse(text, &digits);

	if (!s || !p4d_answer_ok(o)) {
		on_refusal(sw, s, o, text);
		json_object_put(o);
		return;
	}
	sw->first = s->link;
	if (!sw->first)
		sw->last = &sw->first;
	sw->timer.at = sw->first ? p4d_now() + ANSWER_US : UINT64_MAX;
	if (!use_answer(sw, s, o, &digits)) {
		s->link = sw->first;	/* back: its take is not over */
		sw->first = s;
		refused(sw, "switch %s: an answer lacks its values: %.120s", sw->path, text);
	} else {
		free(s);
	}
	json_object_put(o);
}

/* ------------------------------------------------------------------------------ life cycle */

static void on_ready(struct p4d_watch *w, uint32_t events)
{
	struct soft *sw = (struct soft *)w;
	int err = p4d_lines_io(&sw->lines, events, on_line);

	if (err)
		fail(sw, "switch %s: %s", sw->path,
		     err == -EMSGSIZE ? "its answer does not end" : "it closed the connection");
}

static void attempt(struct soft *sw)
{
	int fd = p4d_unix_connect(sw->path);
	struct json_object *info;

	if (fd < 0) {
		fail(sw, "switch %s: %s", sw->path, strerror(-fd));
		return;
	}
	p4d_lines_open(&sw->lines, sw->loop, fd, LINE_MAX_BYTES, on_ready);
	info = p4d_cmd_command("info");
	p4d_cmd_set(info, "control", P4W_CONTROL_VERSION);
	send_step(sw, STEP_INFO, info);
}

static void on_time(struct p4d_timer *t)
{
	struct soft *sw = (struct soft *)((char *)t - offsetof(struct soft, timer));

	if (sw->lines.watch.fd >= 0)
		fail(sw, "switch %s: no answer for %d s", sw->path, ANSWER_US / 1000000);
	else
		attempt(sw);
}

static void *soft_open(struct p4d_loop *loop, const char *path,
		       const struct p4d_switch_events *events)
{
	struct soft *sw = calloc(1, sizeof(*sw));

	if (!sw || !(sw->path = strdup(path))) {
		free(sw);
		return NULL;
	}
	sw->loop = loop;
	sw->events = *events;
	sw->lines.watch.fd = -1;
	sw->last = &sw->first;
	sw->timer = (struct p4d_timer){ .at = p4d_now(), .due = on_time };
	p4d_loop_timer(loop, &sw->timer);
	return sw;
}

/* The loop must not run any more: it still knows the timer. */
static void soft_close(void *arg)
{
	struct soft *sw = arg;

	p4d_lines_close(&sw->lines);
	forget_steps(sw);
	free(sw->path);
	free(sw);
}

/* ---------------------------------------------------------------------------------- verbs */

static void clear_run(void *arg, unsigned int first, unsigned int nth, unsigned int n)
{
	send_step(arg, STEP_PLAIN, p4d_cmd_fill("r*", first * P4W_BLOCK_SLOTS, n * P4W_BLOCK_SLOTS,
						0));
}

/* They begin anew: what was done on them before this epoch, the switch does not know. */
static void give_flows(struct json_object *cmds, uint32_t tenant, uint64_t epoch,
		       const struct p4d_range *flow)
{
	json_object_array_add(cmds, p4d_cmd_fill("flow_state", flow->first, flow->count,
						 (uint64_t)tenant << P4W_FLOW_TENANT_SHIFT));
	json_object_array_add(cmds, p4d_cmd_fill("flow_serial", flow->first, flow->count,
						 epoch << P4W_SERIAL_SHIFT));
}

static void soft_give(void *arg, const struct p4d_give *give)
{
	unsigned int home = p4d_blocks_next(&give->blocks, 0);
	struct json_object *cmds;
	struct soft *sw = arg;

	if (!sw->up)
		return;
	each_run(&give->clear, blocks_in_line(sw), sw, clear_run);
	cmds = json_object_new_array();
	for (unsigned int i = 0; i < give->nr_flows; i++)
		give_flows(cmds, give->tenant, give->epoch, &give->flow[i]);
	if (!give->more) {
		json_object_array_add(cmds, p4d_cmd_fill("lock", home, 1, 0));
		json_object_array_add(cmds, p4d_cmd_fill("serial", home, 1,
							 give->epoch << P4W_SERIAL_SHIFT));
	}
	json_object_array_add(cmds, p4d_cmd_write_blocks("access", &give->blocks, 0));
	json_object_array_add(cmds, p4d_cmd_write_blocks("owner", &give->blocks,
						 p4d_owner_word(give->tenant, give->epoch)));
	send_step(sw, STEP_GIVEN, p4d_cmd_batch(cmds))->action = give->action;
}

static void soft_take(void *arg, const struct p4d_take *take)
{
	struct json_object *cmds;
	struct soft *sw = arg;
	struct take *t;

	if (!sw->up)
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		abort();
	t->what = *take;
	t->blocks = p4d_blocks_count(&take->blocks);
	cmds = json_object_new_array();
	json_object_array_add(cmds, p4d_cmd_write_blocks("owner", &take->blocks, 0));
	json_object_array_add(cmds, p4d_cmd_command("drain"));
	json_object_array_add(cmds, p4d_cmd_read_blocks("serial", &take->blocks));
	send_step(sw, STEP_FENCED, p4d_cmd_batch(cmds))->take = t;
}

static void soft_count(void *arg, const struct p4d_count *count)
{
	struct json_object *cmds;
	struct soft *sw = arg;

	if (!sw->up)
		return;
	cmds = json_object_new_array();
	json_object_array_add(cmds, p4d_cmd_read_blocks("access", &count->blocks));
	json_object_array_add(cmds, p4d_cmd_write_blocks("access", &count->blocks, 0));
	json_object_array_add(cmds, p4d_cmd_command("drain"));
	json_object_array_add(cmds, p4d_cmd_read_cells("lock", p4d_blocks_next(&count->blocks, 0),
						       1));
	send_step(sw, STEP_COUNTED, p4d_cmd_batch(cmds))->of = *count;
}

static struct json_object *new_flows(const struct p4d_cell_order *order)
{
	struct json_object *cmds = json_object_new_array();

	give_flows(cmds, order->tenant, order->epoch, &order->flow);
	return cmds;
}

static void soft_cell(void *arg, const struct p4d_cell_order *order)
{
	struct soft *sw = arg;
	struct json_object *o;

	if (!sw->up)
		return;
	if (order->verb == P4D_CELL_OPEN)
		o = p4d_cmd_open_cell(order);
	else if (order->verb == P4D_CELL_CLOSE)
		o = p4d_cmd_close_cell(order);
	else
		o = p4d_cmd_batch(new_flows(order));
	send_step(sw, order->verb == P4D_CELL_CLOSE ? STEP_CLOSED : STEP_CELL, o)->action =
		order->action;
}

const struct p4d_switch_ops p4d_switch_soft = {
	.name = "p4switch",
	.open = soft_open,
	.give = soft_give,
	.take = soft_take,
	.count = soft_count,
	.cell = soft_cell,
	.close = soft_close,
};
