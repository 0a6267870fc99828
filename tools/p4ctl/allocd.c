// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd.c - see allocd.h */
#include <inttypes.h>
#include <string.h>

#include <p4wire.h>

#include "allocd.h"
#include "member.h"
#include "table.h"
#include "value.h"

static void blocks_cells(struct table *t, struct json_object *blocks)
{
	uint8_t bitmap[P4W_BITMAP_BYTES] = { 0 };
	char which[40];
	size_t i;

	for (i = 0; i < list_length(blocks); i++) {
		int64_t b = json_object_get_int64(list_at(blocks, i));

		if (b >= 0 && b < P4W_MAX_BLOCKS)
			bitmap[b / 8] |= 1u << (b % 8);
	}
	table_cell(t, "%u", format_blocks(bitmap, sizeof(bitmap), which, sizeof(which)));
	table_cell(t, "%s", which);
}

/* Of locks: how many, and in which block. */
static void locks_cell(struct table *t, struct json_object *o)
{
	if (member(o, "lock_block"))
		table_cell(t, "%" PRId64 " in %" PRId64, member_number(o, "lock_cells"),
			   member_number(o, "lock_block"));
	else
		table_cell(t, "-");
}

/* Milliseconds, with the sign that says how long a lease is overrun. */
static void ms_cell(struct table *t, struct json_object *us)
{
	if (us)
		table_cell(t, "%.1f", json_object_get_int64(us) / 1000.0);
	else
		table_cell(t, "-");
}

static void tenant_row(struct table *t, struct json_object *o)
{
	struct json_object *waits = member(o, "waits"), *counters = member(o, "counters");
	struct json_object *reserved = member(o, "reserved");

	table_cell(t, "%" PRId64, member_number(o, "id"));
	table_cell(t, "%s", member_text(o, "name"));
	table_cell(t, "%s", member_text(o, "state"));
	table_cell(t, "%" PRId64 "/%" PRId64, member_number(o, "nodes") - member_number(o, "left"),
		   member_number(o, "nodes"));
	table_cell(t, "%" PRId64, member_number(o, "batch"));
	table_cell(t, "%" PRId64, member_number(o, "epoch"));
	blocks_cells(t, member(o, "blocks"));
	ms_cell(t, member(o, "lease_us"));
	if (reserved)
		table_cell(t, "%" PRId64 "-%" PRId64, member_number(reserved, "min_blocks"),
			   member_number(reserved, "want_blocks"));
	else
		table_cell(t, "-");
	ms_cell(t, member(waits, "p50_us"));
	ms_cell(t, member(waits, "p99_us"));
	table_cell(t, "%" PRId64, member_number(counters, "grants"));
	table_cell(t, "%" PRId64, member_number(counters, "handovers"));
	table_cell(t, "%" PRId64, member_number(counters, "fences"));
	table_cell(t, "%" PRId64, member_number(o, "escrow"));
	table_cell(t, "%" PRId64, member_number(o, "locks"));
	locks_cell(t, o);
}

static bool wanted(struct json_object *tenant, uint32_t only)
{
	return !only || member_number(tenant, "id") == only;
}

void allocd_print_why(struct json_object *show, FILE *out)
{
	const char *why = member(show, "switch_why") ? member_text(show, "switch_why") : "";

	if (*why)
		fprintf(out, "Not up because: %s\n", why);
}

void allocd_print(struct json_object *show, uint32_t only, FILE *out)
{
	struct table *t = table_create(">TENANT NAME STATE >NODES >BATCH >EPOCH >BLOCKS WHICH "
				       ">LEASE/ms WANTS >WAIT-P50/ms >P99/ms >GRANTS >HANDOVERS "
				       ">FENCES >ESCROW >LOCKS CELLS");
	struct json_object *tenants = member(show, "tenants"), *o;
	size_t i;

	for (i = 0; i < list_length(tenants); i++) {
		o = list_at(tenants, i);
		if (wanted(o, only))
			tenant_row(t, o);
	}
	fprintf(out, "\nThe rack (allocator): switch %s, %" PRId64 " of %" PRId64 " blocks "
		"in use\n", member_text(show, "switch"), member_number(show, "used"),
		member_number(show, "blocks"));
	allocd_print_why(show, out);
	table_print(t, out);
	table_free(t);
}

struct json_object *allocd_json(struct json_object *show, uint32_t only)
{
	struct json_object *tenants, *kept, *o = NULL;
	size_t i;

	if (!show || json_object_deep_copy(show, &o, NULL))
		return NULL;
	json_object_object_del(o, "ok");
	tenants = member(o, "tenants");
	kept = json_object_new_array();
	for (i = 0; i < list_length(tenants); i++) {
		struct json_object *tenant = list_at(tenants, i);

		if (wanted(tenant, only))
			json_object_array_add(kept, json_object_get(tenant));
	}
	json_object_object_add(o, "tenants", kept);
	return o;
}
