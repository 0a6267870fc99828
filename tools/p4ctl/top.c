// SPDX-License-Identifier: GPL-2.0-or-later
/* top.c - see top.h */
#include <inttypes.h>
#include <string.h>

#include "allocd.h"
#include "member.h"
#include "table.h"
#include "top.h"
#include "value.h"

#define MAP_WIDTH 64

struct rates {
	double seconds;
	struct json_object *before, *now;
	int64_t blocks;
};

static char symbol_of(size_t nth)
{
	static const char symbols[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	return nth < sizeof(symbols) - 1 ? symbols[nth] : '*';
}

static struct json_object *tenant_of(struct json_object *show, int64_t id)
{
	struct json_object *list = member(show, "tenants");

	for (size_t i = 0; i < list_length(list); i++)
		if (member_number(list_at(list, i), "id") == id)
			return list_at(list, i);
	return NULL;
}

static char symbol_of_owner(struct json_object *show, int64_t id)
{
	struct json_object *list = member(show, "tenants");

	for (size_t i = 0; i < list_length(list); i++)
		if (member_number(list_at(list, i), "id") == id)
			return symbol_of(i);
	return id ? '?' : '.';
}

/* Some tenant's cells of locks are there. */
static bool is_for_locks(struct json_object *show, size_t block)
{
	struct json_object *list = member(show, "tenants"), *at;

	for (size_t i = 0; i < list_length(list); i++) {
		at = member(list_at(list, i), "lock_block");
		if (at && json_object_get_int64(at) == (int64_t)block)
			return true;
	}
	return false;
}

/* ----------------------------------------------------------------------------------- rates */

/* An allocator that was started meanwhile counts from 0 again. */
static struct rates rates_of(struct json_object *before, struct json_object *now)
{
	int64_t from = member_number(before, "now_us"), to = member_number(now, "now_us");
	struct rates r = { .now = now, .blocks = member_number(now, "blocks") };

	if (before && from < to)
		r.before = before;
	r.seconds = (to - (r.before ? from : 0)) / 1e6;
	return r;
}

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

static double counted(const struct rates *r, struct json_object *tenant, const char *name)
{
	struct json_object *then = tenant_of(r->before, member_number(tenant, "id"));

	return member_real(member(tenant, "counters"), name) -
	       member_real(member(then, "counters"), name);
}

/* Of all blocks of the switch, over the time between. */
static double use(const struct rates *r, struct json_object *tenant)
{
	struct json_object *then = tenant_of(r->before, member_number(tenant, "id"));
	double us = member_real(tenant, "block_us") - member_real(then, "block_us");

	return share(us / 1e6, r->seconds * r->blocks);
}

struct total {
	double use, grants, handovers, fences;
	unsigned int waiting;
};

static struct total total_of(const struct rates *r)
{
	struct json_object *list = member(r->now, "tenants");
	struct total t = { 0 };

	for (size_t i = 0; i < list_length(list); i++) {
		struct json_object *o = list_at(list, i);

		t.use += use(r, o);
		t.grants += share(counted(r, o, "grants"), r->seconds);
		t.handovers += share(counted(r, o, "handovers"), r->seconds);
		t.fences += share(counted(r, o, "fences"), r->seconds);
		t.waiting += member_number(o, "waiting_us") > 0;
	}
	return t;
}

/* ------------------------------------------------------------------------------------ text */

static void print_head(const struct rates *r, FILE *out)
{
	struct total t = total_of(r);
	char grants[VALUE_LEN], handovers[VALUE_LEN], fences[VALUE_LEN];

	format_rate(t.grants, grants);
	format_rate(t.handovers, handovers);
	format_rate(t.fences, fences);
	fprintf(out, "switch %s, %" PRId64 " of %" PRId64 " blocks held, %.1f %% over %.1f s; "
		"%u of %zu tenants wait\n", member_text(r->now, "switch"),
		member_number(r->now, "used"), r->blocks, 100 * t.use, r->seconds, t.waiting,
		list_length(member(r->now, "tenants")));
	allocd_print_why(r->now, out);
	fprintf(out, "a second: %s grants, %s hand-overs, %s fences\n\n", grants, handovers, fences);
}

static void print_map(struct json_object *show, FILE *out)
{
	struct json_object *owners = member(show, "owners");

	for (size_t i = 0; i < list_length(owners); i++) {
		if (i % MAP_WIDTH == 0)
			fprintf(out, "%s%4zu ", i ? "\n" : "", i);
		else if (i % 8 == 0)
			fputc(' ', out);
		fputc(is_for_locks(show, i) ? '#' :
		      symbol_of_owner(show, json_object_get_int64(list_at(owners, i))), out);
	}
	fputs("\n\n", out);
}

static void ms_cell(struct table *t, struct json_object *o, const char *name)
{
	if (member(o, name))
		table_cell(t, "%.1f", member_real(o, name) / 1000);
	else
		table_cell(t, "-");
}

static void tenant_row(struct table *t, const struct rates *r, size_t nth, struct json_object *o)
{
	char rate[VALUE_LEN];

	table_cell(t, "%c", symbol_of(nth));
	table_cell(t, "%" PRId64, member_number(o, "id"));
	table_cell(t, "%s", member_text(o, "name"));
	table_cell(t, "%s", member_text(o, "state"));
	table_cell(t, "%zu", list_length(member(o, "blocks")));
	table_cell(t, "%" PRId64, member_number(o, "target"));
	table_cell(t, "%" PRId64, member_number(o, "wanted"));
	ms_cell(t, o, "lease_us");
	ms_cell(t, o, "waiting_us");
	ms_cell(t, member(o, "waits"), "p50_us");
	ms_cell(t, member(o, "waits"), "p99_us");
	format_rate(share(counted(r, o, "grants"), r->seconds), rate);
	table_cell(t, "%s", rate);
	format_rate(share(counted(r, o, "handovers"), r->seconds), rate);
	table_cell(t, "%s", rate);
	table_cell(t, "%.1f", 100 * use(r, o));
	table_cell(t, "%" PRId64, member_number(o, "believed"));
	table_cell(t, "%s", member_text(o, "why"));
}

void top_print(struct json_object *before, struct json_object *now, FILE *out)
{
	struct table *t = table_create("MAP >TENANT NAME STATE >BLOCKS >TARGET >WANTS >LEASE/ms "
				       ">WAITS/ms >P50/ms >P99/ms >GRANTS/s >HANDOVERS/s >USE/% "
				       ">BELIEVED/% WHY");
	struct json_object *tenants = member(now, "tenants");
	struct rates r = rates_of(before, now);

	print_head(&r, out);
	print_map(now, out);
	for (size_t i = 0; i < list_length(tenants); i++)
		tenant_row(t, &r, i, list_at(tenants, i));
	table_print(t, out);
	table_free(t);
}

void top_crop(const char *text, unsigned int width, unsigned int height, FILE *out)
{
	for (unsigned int line = 0; *text && (!height || line < height); line++) {
		size_t n = strcspn(text, "\n"), shown = width && n > width ? width : n;

		/* no newline behind the last line of a screen: it would scroll */
		fprintf(out, "%.*s\033[K%s", (int)shown, text,
			height && line + 1 == height ? "" : "\r\n");
		text += n + (text[n] == '\n');
	}
}

/* ------------------------------------------------------------------------------------ JSON */

static void put_real(struct json_object *o, const char *name, double value)
{
	json_object_object_add(o, name, json_object_new_double(value));
}

static void copy(struct json_object *to, struct json_object *from, const char *name)
{
	json_object_object_add(to, name, json_object_get(member(from, name)));
}

static struct json_object *tenant_json(const struct rates *r, struct json_object *o)
{
	static const char *const same[] = { "id", "name", "state", "blocks", "target", "wanted",
					    "lease_us", "waiting_us", "why", "believed", "credit",
					    "lock_block", "lock_cells" };
	struct json_object *to = json_object_new_object(), *waits = member(o, "waits");

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		copy(to, o, same[i]);
	copy(to, waits, "p50_us");
	copy(to, waits, "p99_us");
	put_real(to, "grants_per_s", share(counted(r, o, "grants"), r->seconds));
	put_real(to, "handovers_per_s", share(counted(r, o, "handovers"), r->seconds));
	put_real(to, "use", use(r, o));
	return to;
}

struct json_object *top_json(struct json_object *before, struct json_object *now)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	struct json_object *tenants = member(now, "tenants");
	struct rates r = rates_of(before, now);
	struct total t = total_of(&r);

	copy(o, now, "now_us");
	put_real(o, "seconds", r.seconds);
	copy(o, now, "switch");
	copy(o, now, "switch_why");
	copy(o, now, "blocks");
	copy(o, now, "used");
	put_real(o, "use", t.use);
	json_object_object_add(o, "waiting", json_object_new_int(t.waiting));
	put_real(o, "grants_per_s", t.grants);
	put_real(o, "handovers_per_s", t.handovers);
	put_real(o, "fences_per_s", t.fences);
	copy(o, now, "owners");
	for (size_t i = 0; i < list_length(tenants); i++)
		json_object_array_add(list, tenant_json(&r, list_at(tenants, i)));
	json_object_object_add(o, "tenants", list);
	return o;
}
