// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.c - what a node shows: progress lines, the final values for the oracle, a JSON summary.
 *
 * A progress line is for people and scripts alike: the program and pairs NAME VALUE, in this order,
 * new ones only ever appended.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "node.h"

#define PROGRESS_US 1000000

void report_progress(struct node *n, const char *phase, bool force)
{
	const struct node_stats *s = &n->stats;
	uint64_t now = node_now_us();

	if (!force && now - n->shown_us < PROGRESS_US)
		return;
	n->shown_us = now;
	printf("%s tenant %u node %u ms %" PRIu64 " batch %u phase %s done %" PRIu64
	       " of %u epoch %" PRIu64 " locked %" PRIu64 " inswitch %" PRIu64 " conflict %" PRIu64
	       " stale %" PRIu64 "\n", n->cfg.name, n->cfg.self.tenant, n->cfg.self.node,
	       (now - n->started_us) / 1000, s->rounds, phase,
	       s->hot + s->mixed + s->cold + s->aborted + s->unknown, n->trace.txns, n->epoch,
	       s->locked, s->in_switch, s->conflicts, s->stale);
	fflush(stdout);
}

/* Own keys that were ever touched; those that were in the switch may have been, there. */
int report_finals(struct node *n)
{
	const struct peer_self *self = &n->cfg.self;

	if (!n->log)
		return 0;
	for (uint32_t key = self->node; key < self->keys; key += self->nodes) {
		uint32_t value, version;

		store_peek(n->store, key, &value, &version);
		if (version || store_epoch(n->store, key))
			history_final(n->log, key, value, version);
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The smallest value that at least `percent` of them do not exceed. */
static uint64_t percentile(const uint64_t *sorted, unsigned int n, unsigned int percent)
{
	return n ? sorted[(n * percent + 99) / 100 - 1] : 0;
}

static void print_list(FILE *f, const char *name, const uint64_t *v, unsigned int n)
{
	fprintf(f, " \"%s\": [", name);
	for (unsigned int i = 0; i < n; i++)
		fprintf(f, "%s%" PRIu64, i ? ", " : "", v[i]);
	fprintf(f, "],\n");
}

static void print_number(FILE *f, const char *name, uint64_t v)
{
	fprintf(f, " \"%s\": %" PRIu64 ",\n", name, v);
}

static void print_summary(struct node *n, FILE *f)
{
	struct node_stats *s = &n->stats;
	uint64_t committed = s->hot + s->mixed + s->cold;
	const struct { const char *name; uint64_t v; } numbers[] = {
		{ "tenant", n->cfg.self.tenant }, { "node", n->cfg.self.node },
		{ "transactions", n->trace.txns }, { "committed", committed },
		{ "hot", s->hot }, { "mixed", s->mixed }, { "cold", s->cold },
		{ "aborted", s->aborted }, { "unknown", s->unknown },
		{ "hot_ops", s->hot_ops }, { "hot_key_ops", s->hot_key_ops },
		{ "stale", s->stale }, { "conflicts", s->conflicts },
		{ "locked", s->locked }, { "in_switch", s->in_switch }, { "expired", s->expired },
		{ "replayed", s->replayed }, { "settled", s->settled }, { "layouts", s->layouts },
		{ "rounds", s->rounds }, { "grants", s->grants }, { "cells", s->cells },
		{ "total_us", s->total_us }, { "cold_us", s->cold_us }, { "fill_us", s->fill_us },
		{ "hot_us", s->hot_us }, { "drain_us", s->drain_us },
	};

	fprintf(f, "{\n");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		print_number(f, numbers[i].name, numbers[i].v);
	print_list(f, "epochs", s->epoch, s->grants);
	print_list(f, "wait_us", s->wait_us, s->grants);
	qsort(s->wait_us, s->grants, sizeof(s->wait_us[0]), by_value);
	print_number(f, "wait_p50_us", percentile(s->wait_us, s->grants, 50));
	print_number(f, "wait_p99_us", percentile(s->wait_us, s->grants, 99));
	fprintf(f, " \"txns_per_s\": %.1f\n}\n",
		s->total_us ? committed * 1e6 / s->total_us : 0.0);
}

int report_summary(struct node *n)
{
	FILE *f;
	int failed;

	if (!n->cfg.summary)
		return 0;
	f = fopen(n->cfg.summary, "we");
	if (!f)
		return -errno;
	print_summary(n, f);
	failed = ferror(f);
	failed |= fclose(f);
	return failed ? -EIO : 0;
}
