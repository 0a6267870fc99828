// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_stats.c - p4ctl stats: the counters of this network namespace, once or as rates */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "config.h"
#include "netlink.h"
#include "output.h"
#include "table.h"
#include "value.h"

enum { S_PATTERN, S_ALL, S_WATCH, S_COUNT };

const struct arg_spec stats_args[] = {
	[S_PATTERN] = { .value = "PATTERN", .type = ARG_TEXT,
			.help = "only names that match, as in a shell" },
	[S_ALL] = { .word = "--all", .help = "also those that are 0" },
	[S_WATCH] = { .word = "--watch", .value = "SEC", .type = ARG_NUMBER, .min = 1, .max = 86400,
		      .help = "show what is added each SEC seconds" },
	[S_COUNT] = COUNT_ARG("with --watch: end after N times"),
	{ 0 },
};

struct sample {
	struct stat_entry *list;
	size_t count;
	struct timespec at;
	struct diag *d;
};

static int add_stat(void *entry, void *arg)
{
	struct sample *s = arg;
	struct stat_entry *list = realloc(s->list, (s->count + 1) * sizeof(*list));

	if (!list)
		return fault(s->d, "out of memory");
	s->list = list;
	s->list[s->count++] = *(struct stat_entry *)entry;
	return 0;
}

static int take_sample(struct nlink *nl, struct sample *s, struct diag *d)
{
	*s = (struct sample){ .d = d };
	clock_gettime(CLOCK_MONOTONIC, &s->at);
	return nlink_dump(nl, P4A_CMD_STATS_GET, stat_fields, sizeof(struct stat_entry), add_stat,
			  s, d);
}

static bool shown(const struct stat_entry *e, const struct arg *args, uint64_t value)
{
	if (args[S_PATTERN].given && fnmatch(args[S_PATTERN].text, e->name, 0))
		return false;
	return value || args[S_ALL].given;
}

static void print_stats(struct run *r, const struct arg *args, const struct sample *s)
{
	struct output o;
	size_t i;

	output_begin(&o, r, "COUNTER >VALUE MEANING");
	for (i = 0; i < s->count; i++) {
		const struct stat_entry *e = &s->list[i];

		if (!shown(e, args, e->value))
			continue;
		if (o.array) {
			output_add(&o, config_json(stat_fields, e));
			continue;
		}
		table_cell(o.table, "%s", e->name);
		table_cell(o.table, "%" PRIu64, e->value);
		table_cell(o.table, "%s", e->help);
	}
	output_end(&o, r, 0);
}

static double seconds_between(const struct timespec *a, const struct timespec *b)
{
	return b->tv_sec - a->tv_sec + (b->tv_nsec - a->tv_nsec) / 1e9;
}

/* Counters keep their order while the module is loaded; a reload is seen by names or values. */
static uint64_t added(const struct sample *before, const struct sample *now, size_t i)
{
	if (i < before->count && !strcmp(before->list[i].name, now->list[i].name) &&
	    before->list[i].value <= now->list[i].value)
		return now->list[i].value - before->list[i].value;
	return now->list[i].value;
}

static void print_rates(struct run *r, const struct arg *args, const struct sample *before,
			const struct sample *now)
{
	struct table *t = table_create("COUNTER >PER-SECOND >ADDED >VALUE");
	double seconds = seconds_between(&before->at, &now->at);
	char rate[VALUE_LEN];
	size_t i;

	for (i = 0; i < now->count; i++) {
		uint64_t n = added(before, now, i);

		if (!shown(&now->list[i], args, n))
			continue;
		format_rate(n / seconds, rate);
		table_cell(t, "%s", now->list[i].name);
		table_cell(t, "%s", rate);
		table_cell(t, "%" PRIu64, n);
		table_cell(t, "%" PRIu64, now->list[i].value);
	}
	table_print(t, r->out);
	fprintf(r->out, "-- %.3f s\n", seconds);
	table_free(t);
	fflush(r->out);
}

static void print_rates_json(struct run *r, const struct arg *args, const struct sample *before,
			     const struct sample *now)
{
	struct json_object *o = json_object_new_object(), *counters = json_object_new_object();
	size_t i;

	for (i = 0; i < now->count; i++) {
		uint64_t n = added(before, now, i);

		if (shown(&now->list[i], args, n))
			json_object_object_add(counters, now->list[i].name,
					       json_object_new_uint64(n));
	}
	json_object_object_add(o, "seconds",
			       json_object_new_double(seconds_between(&before->at, &now->at)));
	json_object_object_add(o, "added", counters);
	output_json_line(r, o);
}

static int watch(struct run *r, const struct arg *args, struct nlink *nl, struct sample *before)
{
	const struct timespec pause = { .tv_sec = args[S_WATCH].number };
	uint64_t left = args[S_COUNT].given ? args[S_COUNT].number : UINT64_MAX;
	struct sample now;

	for (; left; left--) {
		nanosleep(&pause, NULL);
		if (take_sample(nl, &now, r->d)) {
			free(now.list);
			return -1;
		}
		(r->json ? print_rates_json : print_rates)(r, args, before, &now);
		free(before->list);
		*before = now;
		if (ferror(r->out))
			return fault(r->d, "output: write error");
	}
	return 0;
}

int stats_run(struct run *r, const struct arg *args)
{
	struct nlink *nl;
	struct sample s;
	int ret;

	if (args[S_COUNT].given && !args[S_WATCH].given)
		return fault_usage(r->d, "--count means something with --watch only");
	nl = nlink_open(r->d);
	if (!nl)
		return -1;
	ret = take_sample(nl, &s, r->d);
	if (!ret && args[S_WATCH].given)
		ret = watch(r, args, nl, &s);
	else if (!ret)
		print_stats(r, args, &s);
	free(s.list);
	nlink_close(nl);
	return ret;
}
