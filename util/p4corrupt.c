// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4corrupt - alters one value behind a tenant's back, so that one can see its oracle find it.
 *
 * Waits until the tenant's hot transactions have run for a while in some batch (serials have gone up
 * since the barrier after the fill), then flips bits in the cell of its hottest key: register array
 * 0, slot 0 of its first block.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "jsonline.h"

#define FLIP		0x5a5a5a5au
#define EPOCH_BITS	40
#define CELLS		64	/* of a block in one register array */
#define POLL_US		20000

struct target {
	struct jsonline *sw, *alloc;
	uint64_t tenant, batch, after;
	unsigned int home;		/* first block of the grant */
	uint64_t epoch;
};

static const char usage[] =
	"usage: p4corrupt --switch SOCKET --allocd SOCKET --tenant ID [--batch N] [--after N]\n"
	"Flips bits in the cell of the tenant's hottest key, in batch N or later (2), after at least\n"
	"N transactions of that batch (50).\n";

static struct json_object *ask(struct jsonline *j, const char *request)
{
	struct json_object *a = jsonline_ask(j, request);

	if (!a)
		arg_fail("%s: %s", request, jsonline_error(j));
	return a;
}

static struct json_object *find_tenant(struct json_object *show, uint64_t id)
{
	struct json_object *list = json_member(show, "tenants");

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *t = json_object_array_get_idx(list, i);

		if (json_number(t, "id") == id)
			return t;
	}
	return NULL;
}

/* True if the tenant runs hot transactions now, in a batch that we want. */
static bool is_running(struct target *t)
{
	struct json_object *show = ask(t->alloc, "{\"cmd\":\"show\"}");
	struct json_object *tenant = find_tenant(show, t->tenant);
	struct json_object *blocks = json_member(tenant, "blocks");
	bool running = tenant && blocks && json_object_array_length(blocks) &&
		       json_number(tenant, "phase") == 1 && json_number(tenant, "batch") >= t->batch;

	if (running) {
		t->home = json_at(blocks, 0);
		t->epoch = json_number(tenant, "epoch");
	}
	json_object_put(show);
	return running;
}

static uint64_t read_cell(struct target *t, const char *array, unsigned int index)
{
	struct json_object *a;
	char request[128];
	uint64_t v;

	snprintf(request, sizeof(request),
		 "{\"cmd\":\"reg_read\",\"array\":\"%s\",\"index\":%u,\"count\":1}", array, index);
	a = ask(t->sw, request);
	v = json_at(json_member(a, "values"), 0);
	json_object_put(a);
	return v;
}

static void write_cell(struct target *t, const char *array, unsigned int index, uint64_t value)
{
	char request[160];

	snprintf(request, sizeof(request),
		 "{\"cmd\":\"reg_write\",\"array\":\"%s\",\"index\":%u,\"values\":[%" PRIu64 "]}",
		 array, index, value);
	json_object_put(ask(t->sw, request));
}

static bool is_owner(struct target *t)
{
	return read_cell(t, "owner", t->home) == (t->tenant << EPOCH_BITS | t->epoch);
}

/* Waits for transactions of this grant; false if it was over before. */
static bool wait_serials(struct target *t)
{
	uint64_t first = read_cell(t, "serial", t->home);

	while (read_cell(t, "serial", t->home) < first + t->after) {
		usleep(POLL_US / 4);
		if (!is_owner(t) || !is_running(t))
			return false;
	}
	return is_owner(t);
}

/*
 * False if the hot phase may have been over before the cell was altered: the value had been read out
 * then, and nobody could find it. While the allocator has not seen all nodes past their hot
 * transactions, none has begun to read.
 */
static bool alter(struct target *t)
{
	const uint64_t epoch = t->epoch;
	unsigned int cell = t->home * CELLS;
	uint64_t value = read_cell(t, "r0", cell);

	write_cell(t, "r0", cell, (value ^ FLIP) & UINT32_MAX);
	if (!is_running(t) || t->epoch != epoch)
		return false;
	printf("p4corrupt: cell %u of register array 0 (tenant %" PRIu64 ", epoch %" PRIu64
	       ") was %" PRIu64 ", is %" PRIu64 "\n", cell, t->tenant, epoch, value,
	       (value ^ FLIP) & UINT32_MAX);
	return true;
}

static struct target parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "switch", 1, NULL, 's' }, { "allocd", 1, NULL, 'a' }, { "tenant", 1, NULL, 't' },
		{ "batch", 1, NULL, 'b' }, { "after", 1, NULL, 'n' }, { "help", 0, NULL, 'h' }, { 0 },
	};
	struct target t = { .batch = 2, .after = 50 };
	const char *sw = NULL, *alloc = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 's')
			sw = optarg;
		else if (c == 'a')
			alloc = optarg;
		else if (c == 't')
			t.tenant = arg_number("--tenant", optarg, 1, 0xffffff);
		else if (c == 'b')
			t.batch = arg_number("--batch", optarg, 1, 0x7fffffff);
		else if (c == 'n')
			t.after = arg_number("--after", optarg, 0, 1000000);
		else if (c == 'h')
			exit(!fputs(usage, stdout));
		else
			exit(2);
	}
	if (!sw || !alloc || !t.tenant)
		arg_fail("--switch, --allocd and --tenant must be given");
	t.sw = jsonline_open(sw);
	if (!t.sw)
		arg_fail("%s: %s", sw, strerror(errno));
	t.alloc = jsonline_open(alloc);
	if (!t.alloc)
		arg_fail("%s: %s", alloc, strerror(errno));
	return t;
}

int main(int argc, char **argv)
{
	struct target t = parse(argc, argv);

	while (!is_running(&t) || !wait_serials(&t) || !alter(&t))
		usleep(POLL_US);
	jsonline_close(t.sw);
	jsonline_close(t.alloc);
	return 0;
}
