// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd.c - see allocd.h */
#include <inttypes.h>
#include <string.h>

#include <p4wire.h>

#include "allocd.h"
#include "table.h"
#include "value.h"

static struct json_object *member(struct json_object *o, const char *name)
{
	return json_object_is_type(o, json_type_object) ? json_object_object_get(o, name) : NULL;
}

static int64_t number(struct json_object *o, const char *name)
{
	return json_object_get_int64(member(o, name));
}

static const char *text(struct json_object *o, const char *name)
{
	struct json_object *m = member(o, name);

	return m ? json_object_get_string(m) : "-";
}

static size_t length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

static void blocks_cells(struct table *t, struct json_object *blocks)
{
	uint8_t bitmap[P4W_BITMAP_BYTES] = { 0 };
	char which[40];
	size_t i;

	for (i = 0; i < length(blocks); i++) {
		int64_t b = json_object_get_int64(json_object_array_get_idx(blocks, i));

		if (b >= 0 && b < P4W_MAX_BLOCKS)
			bitmap[b / 8] |= 1u << (b % 8);
	}
	table_cell(t, "%u", format_blocks(bitmap, sizeof(bitmap), which, sizeof(which)));
	table_cell(t, "%s", which);
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

	table_cell(t, "%" PRId64, number(o, "id"));
	table_cell(t, "%s", text(o, "name"));
	table_cell(t, "%s", text(o, "state"));
	table_cell(t, "%" PRId64 "/%" PRId64, number(o, "nodes") - number(o, "left"),
		   number(o, "nodes"));
	table_cell(t, "%" PRId64, number(o, "batch"));
	table_cell(t, "%" PRId64, number(o, "epoch"));
	blocks_cells(t, member(o, "blocks"));
	ms_cell(t, member(o, "lease_us"));
	if (reserved)
		table_cell(t, "%" PRId64 "-%" PRId64, number(reserved, "min_blocks"),
			   number(reserved, "want_blocks"));
	else
		table_cell(t, "-");
	ms_cell(t, member(waits, "p50_us"));
	ms_cell(t, member(waits, "p99_us"));
	table_cell(t, "%" PRId64, number(counters, "grants"));
	table_cell(t, "%" PRId64, number(counters, "handovers"));
	table_cell(t, "%" PRId64, number(counters, "fences"));
	table_cell(t, "%" PRId64, number(o, "escrow"));
}

static bool wanted(struct json_object *tenant, uint32_t only)
{
	return !only || number(tenant, "id") == only;
}

void allocd_print(struct json_object *show, uint32_t only, FILE *out)
{
	struct table *t = table_create(">TENANT NAME STATE >NODES >BATCH >EPOCH >BLOCKS WHICH "
				       ">LEASE/ms WANTS >WAIT-P50/ms >P99/ms >GRANTS >HANDOVERS "
				       ">FENCES >ESCROW");
	struct json_object *tenants = member(show, "tenants"), *o;
	size_t i;

	for (i = 0; i < length(tenants); i++) {
		o = json_object_array_get_idx(tenants, i);
		if (wanted(o, only))
			tenant_row(t, o);
	}
	fprintf(out, "\nThe rack (allocator): switch %s, %" PRId64 " of %" PRId64 " blocks "
		"in use\n", text(show, "switch"), number(show, "used"), number(show, "blocks"));
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
	for (i = 0; i < length(tenants); i++) {
		struct json_object *tenant = json_object_array_get_idx(tenants, i);

		if (wanted(tenant, only))
			json_object_array_add(kept, json_object_get(tenant));
	}
	json_object_object_add(o, "tenants", kept);
	return o;
}
