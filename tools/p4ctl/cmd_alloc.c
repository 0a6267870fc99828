// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_alloc.c - p4ctl alloc: what the tenants hold, as this host's kernel knows it and, where its
 * status socket can be reached, as the allocator does.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "allocd.h"
#include "cmd_watch.h"
#include "config.h"
#include "netlink.h"
#include "output.h"
#include "table.h"
#include "value.h"

enum { A_ID, A_ALLOCD };

/* The tenants of this host, and for each what it holds. */
struct holding {
	struct tenant tenant;
	struct alloc alloc;
};

struct holdings {
	struct holding *list;
	size_t count;
	struct diag *d;
};

static int add_holding(void *entry, void *arg)
{
	struct holdings *h = arg;
	struct holding *list = realloc(h->list, (h->count + 1) * sizeof(*list));

	if (!list)
		return fault(h->d, "out of memory");
	h->list = list;
	h->list[h->count++] = (struct holding){ .tenant = *(struct tenant *)entry };
	return 0;
}

static int read_tenants(struct nlink *nl, const struct arg *id, struct holdings *h)
{
	struct tenant t = { .have = msg_bit(tenant_fields, P4A_A_TENANT_ID), .id = id->number };
	int ret;

	if (!id->given)
		return nlink_dump(nl, P4A_CMD_TENANT_GET, tenant_fields, sizeof(t), add_holding, h,
				  h->d);
	ret = nlink_get(nl, P4A_CMD_TENANT_GET, tenant_fields, &t, &t, sizeof(t), h->d);
	if (ret && nlink_errno(nl) == ENOENT)
		return fault(h->d, "there is no tenant %" PRIu64, id->number);
	return ret ? ret : add_holding(&t, h);
}

/* Tenants that are deleted while we look are left out. */
static int read_allocs(struct nlink *nl, struct holdings *h)
{
	size_t i, kept = 0;
	int ret;

	for (i = 0; i < h->count; i++) {
		struct holding *to = &h->list[kept];
		struct alloc ask = { .have = msg_bit(alloc_fields, P4A_A_TENANT_ID),
				     .id = h->list[i].tenant.id };

		to->tenant = h->list[i].tenant;
		ret = nlink_get(nl, P4A_CMD_ALLOC_GET, alloc_fields, &ask, &to->alloc,
				sizeof(to->alloc), h->d);
		if (ret && nlink_errno(nl) != ENOENT)
			return ret;
		kept += !ret;
	}
	h->count = kept;
	return 0;
}

static void holding_row(struct table *t, const struct holding *h)
{
	const struct alloc *a = &h->alloc;
	char which[40];
	unsigned int n;

	n = format_blocks(a->bitmap, sizeof(a->bitmap), which, sizeof(which));
	table_cell(t, "%u", a->id);
	table_cell(t, "%s", h->tenant.name);
	if (a->epoch)
		table_cell(t, "%" PRIu64, a->epoch);
	else
		table_cell(t, "-");
	table_cell(t, "%u", n);
	table_cell(t, "%s", which);
	if (a->flow_count)
		table_cell(t, "%u-%u", a->flow_first, a->flow_first + a->flow_count - 1);
	else
		table_cell(t, "-");
	table_cell(t, "%u", a->outstanding);
	table_cell(t, "%" PRIu64, a->txns);
	table_cell(t, "%" PRIu64, a->stale);
	table_cell(t, "%" PRIu64, a->conflict);
	table_cell(t, "%" PRIu64, a->abort);
	table_cell(t, "%" PRIu64, a->timeout);
}

static void print_kernel(const struct run *r, const struct holdings *h)
{
	struct table *t = table_create(">TENANT NAME >EPOCH >BLOCKS WHICH FLOWS >OUT >TXNS >STALE "
				       ">CONFLICT >ABORT >TIMEOUT");
	size_t i;

	for (i = 0; i < h->count; i++)
		holding_row(t, &h->list[i]);
	fputs("This host (kernel)\n", r->out);
	table_print(t, r->out);
	table_free(t);
}

static struct json_object *kernel_json(const struct holdings *h)
{
	struct json_object *array = json_object_new_array(), *o;
	size_t i;

	for (i = 0; i < h->count; i++) {
		o = config_alloc_json(&h->list[i].alloc);
		json_object_object_add(o, "name", json_object_new_string(h->list[i].tenant.name));
		json_object_array_add(array, o);
	}
	return array;
}

/* The allocator's answer, or NULL with the reason in `why`. */
static struct json_object *ask_allocd(const struct arg *path, struct diag *why)
{
	struct jsock *s = jsock_open(path->given ? path->text : ALLOCD_SOCKET, "p4allocd", why);
	struct json_object *request, *answer;

	if (!s)
		return NULL;
	request = json_object_new_object();
	json_object_object_add(request, "cmd", json_object_new_string("show"));
	answer = jsock_ask(s, request, why);
	jsock_close(s);
	return answer;
}

static void print_all(const struct run *r, const struct holdings *h, struct json_object *allocd,
		      const struct diag *why, uint32_t only)
{
	struct json_object *o;

	if (r->json) {
		o = json_object_new_object();
		json_object_object_add(o, "kernel", kernel_json(h));
		json_object_object_add(o, "allocator", allocd_json(allocd, only));
		output_json(r, o);
		return;
	}
	print_kernel(r, h);
	if (allocd)
		allocd_print(allocd, only, r->out);
	else
		fprintf(r->out, "\nAllocator: %s\n", why->text);
}

/* An allocator that is elsewhere is no error, unless its socket was named. */
static int alloc_show_run(struct run *r, const struct arg *args)
{
	struct holdings h = { .d = r->d };
	struct json_object *allocd = NULL;
	struct nlink *nl = nlink_open(r->d);
	struct diag why = { 0 };
	int ret;

	if (!nl)
		return -1;
	ret = read_tenants(nl, &args[A_ID], &h);
	ret = ret ? ret : read_allocs(nl, &h);
	if (!ret) {
		allocd = ask_allocd(&args[A_ALLOCD], &why);
		if (!allocd && args[A_ALLOCD].given) {
			*r->d = why;
			ret = -1;
		}
	}
	if (!ret)
		print_all(r, &h, allocd, &why, args[A_ID].given ? args[A_ID].number : 0);
	json_object_put(allocd);
	free(h.list);
	nlink_close(nl);
	return ret;
}

static const struct arg_spec alloc_show_args[] = {
	[A_ID] = { .value = "ID", .type = ARG_NUMBER, .min = 1, .max = 0xffffff,
		   .words = WORDS_TENANTS, .help = "only this tenant" },
	[A_ALLOCD] = ALLOCD_ARG,
	{ 0 },
};

const struct cmd alloc_cmds[] = {
	{ "show", "what the tenants hold now, by kernel and allocator", .run = alloc_show_run,
	  .args = alloc_show_args,
	  .about = "The kernel's part concerns the nodes of this network namespace: OUT are\n"
		   "transactions in flight, the columns after it count since the tenant was\n"
		   "created. The allocator's part concerns the rack and is shown where its status\n"
		   "socket can be reached.\n\n"
		   "Examples:\n"
		   "  p4ctl alloc show\n"
		   "  p4ctl -j alloc show 7 --allocd /run/rack/p4allocd.sock\n" },
	{ "top", "blocks, tenants, waits and hand-overs, live", .run = alloc_top_run,
	  .args = alloc_top_args,
	  .about = "On a terminal a full screen until q or Ctrl-C; else plain text, one view after\n"
		   "the other; with -j a JSON line each. The first view has rates since the\n"
		   "allocator was started, the others since the view before.\n\n"
		   "In the map each character is a block: the tenant's letter, . a free one, # one\n"
		   "that some tenant's locks have, ? of a tenant not listed. USE is the part of all\n"
		   "blocks of the switch that a tenant had over the time; BELIEVED, how much of its\n"
		   "histogram's worth the switch's counters bear out; WHY, what it waits for: see\n"
		   "alloc explain.\n\n"
		   "Examples:\n"
		   "  p4ctl alloc top\n"
		   "  p4ctl alloc top --delay 200ms\n"
		   "  p4ctl alloc top --count 1 | less\n"
		   "  p4ctl -j alloc top --delay 10s | jq .use\n" },
	{ "explain", "why a tenant has this many blocks, and why now or not yet",
	  .run = alloc_explain_run, .args = alloc_explain_args,
	  .about = "What decides: the worth of blocks as declared and as the switch's counters bear\n"
		   "it out, the price of a block, limits, weight and credit; who waits before it, and\n"
		   "whose leases end when.\n\n"
		   "Examples:\n"
		   "  p4ctl alloc explain 7\n"
		   "  p4ctl -j alloc explain 7 | jq .when.why\n" },
	{ "history", "who held how many blocks over time, who waited: CSV or SVG",
	  .run = alloc_history_run, .args = alloc_history_args,
	  .about = "The allocator keeps the last 65536 changes. CSV has a line for each moment at\n"
		   "which something changed: seconds since the allocator was started, blocks used, all\n"
		   "blocks, utilisation since the line before, tenants that wait, blocks of each\n"
		   "tenant. The picture has the same, as means of 800 columns.\n\n"
		   "Examples:\n"
		   "  p4ctl alloc history --since 10s --svg rack.svg\n"
		   "  p4ctl alloc history > rack.csv\n" },
	{ 0 },
};
