// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_switch.c - p4ctl switch: what the software switch keeps, over its control socket; see
 * doc/switch.md for the requests. `reg write` is for repair, behind the back of the allocator.
 */
#include <inttypes.h>
#include <string.h>

#include <p4wire.h>

#include "cmd.h"
#include "jsock.h"
#include "member.h"
#include "output.h"
#include "owners.h"
#include "table.h"
#include "value.h"

#define CELLS_MAX	4096	/* that the switch takes in one request */

#define SOCKET_SPEC { .word = "--socket", .value = "PATH", .type = ARG_TEXT,	\
	.words = WORDS_FILES, .help = "control socket; default " SWITCH_SOCKET }

static struct json_object *request(const char *cmd)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "cmd", json_object_new_string(cmd));
	return o;
}

static struct json_object *read_request(const char *array, uint64_t index, uint64_t count)
{
	struct json_object *o = request("reg_read");

	json_object_object_add(o, "array", json_object_new_string(array));
	json_object_object_add(o, "index", json_object_new_uint64(index));
	json_object_object_add(o, "count", json_object_new_uint64(count));
	return o;
}

static struct jsock *open_switch(const struct arg *path, struct diag *d)
{
	return jsock_open(path->given ? path->text : SWITCH_SOCKET, "p4switch", d);
}

/* Cells and epochs have 64 bits. */
static uint64_t number(struct json_object *o, const char *name)
{
	return json_object_get_uint64(member(o, name));
}

/* A member that must be an array; NULL with a message if it is not. */
static struct json_object *list(struct json_object *o, const char *name, struct diag *d)
{
	struct json_object *l = member(o, name);

	if (json_object_is_type(l, json_type_array))
		return l;
	fault(d, "p4switch: the answer has no list '%s'", name);
	return NULL;
}

/* ------------------------------------------------------------------ switch show */

/* All that is shown, each the answer of one request. */
struct view {
	struct json_object *info, *counters, *l2;
	struct json_object *owner, *lock, *serial;	/* lists of cells */
	struct json_object *cells;			/* the answer that holds the three */
};

static void view_free(struct view *v)
{
	json_object_put(v->info);
	json_object_put(v->counters);
	json_object_put(v->l2);
	json_object_put(v->cells);
}

static struct json_object *l2_request(void)
{
	struct json_object *o = request("table_show");

	json_object_object_add(o, "table", json_object_new_string("l2"));
	return o;
}

/* Owner, lock and serial cells in one request, so that they belong together. */
static struct json_object *cells_request(uint64_t blocks)
{
	struct json_object *o = request("batch"), *cmds = json_object_new_array();

	json_object_array_add(cmds, read_request("owner", 0, blocks));
	json_object_array_add(cmds, read_request("lock", 0, blocks));
	json_object_array_add(cmds, read_request("serial", 0, blocks));
	json_object_object_add(o, "cmds", cmds);
	return o;
}

static int take_cells(struct view *v, uint64_t blocks, struct diag *d)
{
	struct json_object *results = list(v->cells, "results", d), **to[3] = {
		&v->owner, &v->lock, &v->serial };
	size_t i;

	for (i = 0; results && i < 3; i++) {
		*to[i] = list(list_at(results, i), "values", d);
		if (!*to[i])
			return -1;
		if (list_length(*to[i]) != blocks)
			return fault(d, "p4switch: the answer has %zu cells instead of %" PRIu64,
				     list_length(*to[i]), blocks);
	}
	return results ? 0 : -1;
}

static int view_read(struct view *v, struct jsock *s, struct diag *d)
{
	uint64_t blocks;

	v->info = jsock_ask(s, request("info"), d);
	if (!v->info)
		return -1;
	blocks = number(v->info, "blocks");
	if (!blocks || blocks > P4W_MAX_BLOCKS)
		return fault(d, "p4switch: it says that it has %" PRIu64 " blocks; possible: 1..%d",
			     blocks, P4W_MAX_BLOCKS);
	v->counters = jsock_ask(s, request("counters"), d);
	v->l2 = v->counters ? jsock_ask(s, l2_request(), d) : NULL;
	v->cells = v->l2 ? jsock_ask(s, cells_request(blocks), d) : NULL;
	return v->cells ? take_cells(v, blocks, d) : -1;
}

static void print_ports(const struct view *v, FILE *out)
{
	struct json_object *ports = member(v->counters, "ports"), *p;
	struct table *t = table_create(">PORT NAME >RX >TX >DROP");
	size_t i;

	for (i = 0; i < list_length(ports); i++) {
		p = list_at(ports, i);
		table_cell(t, "%" PRIu64, number(p, "port"));
		table_cell(t, "%s", member_text(p, "name"));
		table_cell(t, "%" PRIu64, number(p, "rx"));
		table_cell(t, "%" PRIu64, number(p, "tx"));
		table_cell(t, "%" PRIu64, number(p, "drop"));
	}
	fputs("\nPorts\n", out);
	table_print(t, out);
	table_free(t);
}

static void print_counters(const struct view *v, FILE *out)
{
	struct json_object *counters = member(v->counters, "counters");
	struct table *t = table_create("COUNTER >VALUE");

	if (!json_object_is_type(counters, json_type_object))
		counters = NULL;
	if (counters) {
		json_object_object_foreach(counters, name, value) {
			table_cell(t, "%s", name);
			table_cell(t, "%" PRIu64, json_object_get_uint64(value));
		}
	}
	fputs("\nCounters\n", out);
	table_print(t, out);
	table_free(t);
}

static void print_l2(const struct view *v, FILE *out)
{
	struct json_object *entries = member(v->l2, "entries"), *e;
	struct table *t = table_create("MAC >PORT");
	size_t i;

	for (i = 0; i < list_length(entries); i++) {
		e = list_at(entries, i);
		table_cell(t, "%s", member_text(e, "mac"));
		table_cell(t, "%" PRIu64, number(e, "port"));
	}
	fputs("\nForwarding (l2)\n", out);
	table_print(t, out);
	table_free(t);
}

static unsigned int view_owners(const struct view *v, struct owner *owners)
{
	size_t n = list_length(v->owner), i;
	uint64_t words[P4W_MAX_BLOCKS];

	for (i = 0; i < n; i++)
		words[i] = json_object_get_uint64(list_at(v->owner, i));
	return owners_group(words, n, owners);
}

static uint64_t cell(struct json_object *cells, unsigned int index)
{
	return json_object_get_uint64(list_at(cells, index));
}

static void print_owners(const struct view *v, FILE *out)
{
	struct table *t = table_create(">TENANT >EPOCH >BLOCKS WHICH LOCK >SERIAL");
	struct owner owners[P4W_MAX_BLOCKS];
	unsigned int n = view_owners(v, owners), i;
	char which[64];

	for (i = 0; i < n; i++) {
		const struct owner *o = &owners[i];

		if (o->tenant)
			table_cell(t, "%u", o->tenant);
		else
			table_cell(t, "nobody");
		table_cell(t, "%" PRIu64, o->epoch);
		table_cell(t, "%u", format_blocks(o->bitmap, sizeof(o->bitmap), which,
						  sizeof(which)));
		table_cell(t, "%s", which);
		table_cell(t, o->tenant ? "0x%08" PRIx64 : "-", cell(v->lock, o->home));
		table_cell(t, o->tenant ? "%" PRIu64 : "-", cell(v->serial, o->home));
	}
	fputs("\nOwners of blocks\n", out);
	table_print(t, out);
	table_free(t);
}

static struct json_object *owners_json(const struct view *v)
{
	struct json_object *a = json_object_new_array(), *o, *blocks;
	struct owner owners[P4W_MAX_BLOCKS];
	unsigned int n = view_owners(v, owners), i, b;

	for (i = 0; i < n; i++) {
		o = json_object_new_object();
		blocks = json_object_new_array();
		for (b = 0; b < P4W_MAX_BLOCKS; b++)
			if (owners[i].bitmap[b / 8] >> (b % 8) & 1)
				json_object_array_add(blocks, json_object_new_int(b));
		json_object_object_add(o, "tenant", json_object_new_int64(owners[i].tenant));
		json_object_object_add(o, "epoch", json_object_new_uint64(owners[i].epoch));
		json_object_object_add(o, "blocks", blocks);
		json_object_object_add(o, "lock",
				       json_object_new_uint64(cell(v->lock, owners[i].home)));
		json_object_object_add(o, "serial",
				       json_object_new_uint64(cell(v->serial, owners[i].home)));
		json_object_array_add(a, o);
	}
	return a;
}

static void take_member(struct json_object *to, const char *name, struct json_object *from)
{
	json_object_object_add(to, name, json_object_get(member(from, name)));
}

static void print_view(const struct run *r, const struct view *v)
{
	struct json_object *o;

	if (r->json) {
		o = json_object_get(v->info);
		json_object_object_del(o, "ok");
		take_member(o, "counters", v->counters);
		take_member(o, "ports", v->counters);
		json_object_object_add(o, "l2", json_object_get(member(v->l2, "entries")));
		json_object_object_add(o, "owners", owners_json(v));
		output_json(r, o);
		return;
	}
	fprintf(r->out, "program %s, %" PRIu64 " register arrays (%" PRIu64 " dependent), %" PRIu64 " blocks of %" PRIu64
		" slots, %" PRIu64 " flows, protocol version %s, control socket version %s, boot %s\n",
		member_text(v->info, "program"), number(v->info, "registers"),
		number(v->info, "dependent"),
		number(v->info, "blocks"), number(v->info, "block_slots"),
		number(v->info, "flows"), member_text(v->info, "version"),
		member_text(v->info, "control"), member_text(v->info, "boot"));
	print_ports(v, r->out);
	print_counters(v, r->out);
	print_owners(v, r->out);
	print_l2(v, r->out);
}

static int switch_show_run(struct run *r, const struct arg *args)
{
	struct jsock *s = open_switch(&args[0], r->d);
	struct view v = { 0 };
	int ret;

	if (!s)
		return -1;
	ret = view_read(&v, s, r->d);
	if (!ret)
		print_view(r, &v);
	view_free(&v);
	jsock_close(s);
	return ret;
}

/* ------------------------------------------------------------------ switch reg */

enum { R_ARRAY, R_INDEX, R_COUNT, R_READ_SOCKET };

static void print_cells(const struct run *r, const char *array, uint64_t index,
			struct json_object *values)
{
	struct table *t = table_create("ARRAY >INDEX >VALUE HEX OWNER");
	size_t i;

	for (i = 0; i < list_length(values); i++) {
		uint64_t v = json_object_get_uint64(list_at(values, i));

		table_cell(t, "%s", array);
		table_cell(t, "%" PRIu64, index + i);
		table_cell(t, "%" PRIu64, v);
		table_cell(t, "0x%" PRIx64, v);
		if (!strcmp(array, "owner"))
			table_cell(t, "tenant %" PRIu64 " epoch %" PRIu64, v >> P4W_EPOCH_BITS,
				   v & (uint64_t)P4W_EPOCH_MAX);
		else
			table_cell(t, "%s", "");
	}
	table_print(t, r->out);
	table_free(t);
}

static int reg_read_run(struct run *r, const struct arg *args)
{
	uint64_t index = args[R_INDEX].number;
	uint64_t count = args[R_COUNT].given ? args[R_COUNT].number : 1;
	struct jsock *s = open_switch(&args[R_READ_SOCKET], r->d);
	struct json_object *answer, *values;

	if (!s)
		return -1;
	answer = jsock_ask(s, read_request(args[R_ARRAY].text, index, count), r->d);
	jsock_close(s);
	values = answer ? list(answer, "values", r->d) : NULL;
	if (values && r->json)
		output_json(r, json_object_get(values));
	else if (values)
		print_cells(r, args[R_ARRAY].text, index, values);
	json_object_put(answer);
	return values ? 0 : -1;
}

enum { W_ARRAY, W_INDEX, W_VALUES, W_FORCE, W_SOCKET };

static struct json_object *write_request(const struct arg *args, struct diag *d)
{
	struct json_object *o = request("reg_write"), *values = json_object_new_array();
	uint64_t v;
	int i;

	json_object_object_add(o, "array", json_object_new_string(args[W_ARRAY].text));
	json_object_object_add(o, "index", json_object_new_uint64(args[W_INDEX].number));
	json_object_object_add(o, "values", values);
	for (i = 0; i < args[W_VALUES].count; i++) {
		if (arg_number("VALUE", args[W_VALUES].list[i], 0, UINT64_MAX, &v, d)) {
			json_object_put(o);
			return NULL;
		}
		json_object_array_add(values, json_object_new_uint64(v));
	}
	return o;
}

static int reg_write_run(struct run *r, const struct arg *args)
{
	struct json_object *o = write_request(args, r->d), *answer;
	struct jsock *s;

	if (!o)
		return -1;
	if (!args[W_FORCE].given) {
		json_object_put(o);
		return fault_usage(r->d, "this changes cells behind the backs of allocator and "
				   "tenants; if that is meant, add --force");
	}
	s = open_switch(&args[W_SOCKET], r->d);
	if (!s) {
		json_object_put(o);
		return -1;
	}
	answer = jsock_ask(s, o, r->d);
	jsock_close(s);
	json_object_put(answer);
	return answer ? 0 : -1;
}

#define ARRAY_SPEC { .value = "ARRAY", .type = ARG_NAME, .max = 31, .required = true,	\
	.help = "owner, lock, serial, access, flow_state, flow_serial, flow_result0.., r0.." }
#define INDEX_SPEC { .value = "INDEX", .type = ARG_NUMBER, .max = UINT32_MAX, .required = true,	\
	.help = "of the first cell" }

static const struct arg_spec switch_show_args[] = { SOCKET_SPEC, { 0 } };

static const struct arg_spec reg_read_args[] = {
	[R_ARRAY] = ARRAY_SPEC, [R_INDEX] = INDEX_SPEC,
	[R_COUNT] = { .value = "COUNT", .type = ARG_NUMBER, .min = 1, .max = CELLS_MAX,
		      .help = "how many; default 1" },
	[R_READ_SOCKET] = SOCKET_SPEC,
	{ 0 },
};

static const struct arg_spec reg_write_args[] = {
	[W_ARRAY] = ARRAY_SPEC, [W_INDEX] = INDEX_SPEC,
	[W_VALUES] = { .value = "VALUE", .type = ARG_TEXT, .required = true, .many = true,
		       .help = "64-bit numbers for this and the following cells" },
	[W_FORCE] = { .word = "--force", .help = "yes, I know who else relies on them" },
	[W_SOCKET] = SOCKET_SPEC,
	{ 0 },
};

static const struct cmd reg_cmds[] = {
	{ "read", "show cells of a register array", .run = reg_read_run, .args = reg_read_args,
	  .about = "Examples:\n"
		   "  p4ctl switch reg read owner 0 16      owners of blocks 0 to 15\n"
		   "  p4ctl switch reg read r3 320          slot 0 of block 5 in register 3\n" },
	{ "write", "change cells, for repair only", .run = reg_write_run, .args = reg_write_args,
	  .about = "Examples:\n"
		   "  p4ctl switch reg write lock 4 0 --force   free the lock bits at home 4\n" },
	{ 0 },
};

const struct cmd switch_cmds[] = {
	{ "show", "geometry, ports, counters, owners, forwarding", .run = switch_show_run,
	  .args = switch_show_args,
	  .about = "LOCK and SERIAL belong to the grant: taken lock bits, next commit serial.\n\n"
		   "Examples:\n"
		   "  p4ctl switch show\n"
		   "  p4ctl -j switch show --socket /run/rack/p4switch.sock\n" },
	{ "reg", "cells of the register arrays", .sub = reg_cmds,
	  .about = "Examples:\n"
		   "  p4ctl switch reg read owner 0 16\n" },
	{ 0 },
};
