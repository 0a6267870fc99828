// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * metrics.c - see metrics.h. All values of a name stand together, as the format wants; times are in
 * seconds, shares 0 .. 1.
 */
#include "metrics.h"
#include "grant.h"
#include "named.h"
#include "waits.h"
#include "why.h"

struct scene {
	const struct p4d_engine *e;
	bool store_ok;
	const struct p4d_server_stats *replies;
	uint64_t now;
};

/* ------------------------------------------------------------------------------- the rack */

static double blocks(const struct scene *s)
{
	return s->e->geo.blocks;
}

static double held(const struct scene *s)
{
	unsigned int n = 0;

	for (unsigned int b = 0; b < s->e->geo.blocks; b++)
		n += s->e->owner[b] != 0;
	return n;
}

static double switch_up(const struct scene *s)
{
	return s->e->sw == P4D_SWITCH_UP;
}

static double store_ok(const struct scene *s)
{
	return s->store_ok;
}

static double epochs(const struct scene *s)
{
	return s->e->epoch_next - 1;
}

static double of_bound(const struct scene *s)
{
	return s->e->worth.bound ? (double)s->e->worth.value / s->e->worth.bound : 1;
}

static double start(const struct scene *s)
{
	return (s->now - s->e->start) / 1e6;
}

static double replies_waiting(const struct scene *s)
{
	return s->replies->waiting;
}

static double replies_kept(const struct scene *s)
{
	return s->replies->kept;
}

static double replies_dropped(const struct scene *s)
{
	return s->replies->dropped;
}

static const struct {
	const char *name, *type, *help;
	double (*get)(const struct scene *s);
} of_rack[] = {
	{ "p4alloc_blocks", "gauge", "Register blocks of the switch", blocks },
	{ "p4alloc_blocks_held", "gauge", "Blocks that tenants hold", held },
	{ "p4alloc_switch_up", "gauge", "1 if the switch is connected and as configured", switch_up },
	{ "p4alloc_store_ok", "gauge", "1 if what must survive can be written", store_ok },
	{ "p4alloc_epochs_total", "counter", "Epochs given, over all restarts", epochs },
	{ "p4alloc_division_of_bound_ratio", "gauge",
	  "Worth of the last division of blocks, of what no division exceeds", of_bound },
	{ "p4alloc_replies_waiting", "gauge", "Replies that the kernel has no room for", replies_waiting },
	{ "p4alloc_replies_kept_total", "counter", "Replies that had to wait for room", replies_kept },
	{ "p4alloc_replies_dropped_total", "counter",
	  "Replies that found no room here either: all clients had to ask again", replies_dropped },
	{ "p4alloc_uptime_seconds", "gauge", "Since the allocator was started", start },
};

/* ------------------------------------------------------------------------------- tenants */

static double tenant_blocks(const struct scene *s, const struct p4d_tenant *t)
{
	return t->cur ? p4d_blocks_count(&t->cur->blocks) : 0;
}

static double target(const struct scene *s, const struct p4d_tenant *t)
{
	return t->target;
}

static double wanted(const struct scene *s, const struct p4d_tenant *t)
{
	return t->next ? t->next->want_blocks : t->cur ? t->cur->want_blocks : 0;
}

static double waiting(const struct scene *s, const struct p4d_tenant *t)
{
	return p4d_waits(t);
}

static double weight(const struct scene *s, const struct p4d_tenant *t)
{
	return t->conf.weight;
}

static double credit(const struct scene *s, const struct p4d_tenant *t)
{
	return t->account.credit / 1e6;
}

static double believed(const struct scene *s, const struct p4d_tenant *t)
{
	const struct p4d_batch *b = t->next ? t->next : t->cur;

	return b ? p4d_believed(b) / 100.0 : 1;
}

static double hot(const struct scene *s, const struct p4d_tenant *t)
{
	return t->hot / 256.0;
}

static double overrun(const struct scene *s, const struct p4d_tenant *t)
{
	return t->overrun / 256.0;
}

static double locks(const struct scene *s, const struct p4d_tenant *t)
{
	return t->named ? p4d_named_claims(t->named) : 0;
}

static double requests(const struct scene *s, const struct p4d_tenant *t)
{
	return t->counter[P4D_C_requests];
}

static double batches(const struct scene *s, const struct p4d_tenant *t)
{
	return t->counter[P4D_C_batches];
}

static double grants(const struct scene *s, const struct p4d_tenant *t)
{
	return t->counter[P4D_C_grants];
}

static double handovers(const struct scene *s, const struct p4d_tenant *t)
{
	return t->counter[P4D_C_handovers];
}

static double fences(const struct scene *s, const struct p4d_tenant *t)
{
	return t->counter[P4D_C_fences];
}

static double escrowed(const struct scene *s, const struct p4d_tenant *t)
{
	return t->counter[P4D_C_escrowed_cells];
}

static double expired(const struct scene *s, const struct p4d_tenant *t)
{
	return t->counter[P4D_C_expired];
}

static double lost(const struct scene *s, const struct p4d_tenant *t)
{
	return t->counter[P4D_C_lost];
}

static double block_seconds(const struct scene *s, const struct p4d_tenant *t)
{
	return p4d_waits_block_us(t, s->now) / 1e6;
}

static const struct {
	const char *name, *type, *help;
	double (*get)(const struct scene *s, const struct p4d_tenant *t);
} of_tenant[] = {
	{ "p4alloc_tenant_blocks", "gauge", "Blocks that the tenant holds", tenant_blocks },
	{ "p4alloc_tenant_target_blocks", "gauge", "Blocks that it should have", target },
	{ "p4alloc_tenant_wanted_blocks", "gauge", "Blocks that it asked for", wanted },
	{ "p4alloc_tenant_waiting", "gauge", "1 while it waits for blocks", waiting },
	{ "p4alloc_tenant_weight", "gauge", "Its weight, as configured", weight },
	{ "p4alloc_tenant_credit_block_seconds", "gauge",
	  "What it is due; below 0: has had more", credit },
	{ "p4alloc_tenant_believed_ratio", "gauge",
	  "Worth of its histogram that the switch's counters bear out", believed },
	{ "p4alloc_tenant_hot_ratio", "gauge", "Part of the time in which it needs blocks", hot },
	{ "p4alloc_tenant_overrun_ratio", "gauge", "Time held, of times declared", overrun },
	{ "p4alloc_tenant_locks", "gauge", "Named locks held or waited for", locks },
	{ "p4alloc_tenant_requests_total", "counter", "Messages from its nodes", requests },
	{ "p4alloc_tenant_batches_total", "counter", "Batches that ended", batches },
	{ "p4alloc_tenant_grants_total", "counter", "Grants", grants },
	{ "p4alloc_tenant_handovers_total", "counter",
	  "Grants with a block that another tenant held before", handovers },
	{ "p4alloc_tenant_fences_total", "counter", "Grants taken away", fences },
	{ "p4alloc_tenant_escrowed_cells_total", "counter",
	  "Cells drained into the store", escrowed },
	{ "p4alloc_tenant_expired_total", "counter", "Batches whose blocks were taken", expired },
	{ "p4alloc_tenant_lost_total", "counter", "Batches lost with the switch", lost },
	{ "p4alloc_tenant_block_seconds_total", "counter",
	  "Blocks times seconds held", block_seconds },
};

static void print_label(FILE *f, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', f);
		if (*value == '\n')
			fputs("\\n", f);
		else
			fputc(*value, f);
	}
}

static void print_tenant(FILE *f, const char *name, const struct p4d_tenant *t)
{
	fprintf(f, "%s{tenant=\"%u\",name=\"", name, t->id);
	print_label(f, t->conf.name);
	fputc('"', f);
}

static void print_head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_waits(FILE *f, const struct p4d_tenant *t)
{
	static const struct { const char *name; unsigned int percent; } quantile[] = {
		{ "0.5", 50 }, { "0.99", 99 }, { "1", 100 },
	};

	for (size_t i = 0; i < sizeof(quantile) / sizeof(quantile[0]); i++) {
		print_tenant(f, "p4alloc_tenant_wait_seconds", t);
		fprintf(f, ",quantile=\"%s\"} ", quantile[i].name);
		fprintf(f, t->nr_waits ? "%.6f\n" : "NaN\n",
			p4d_waits_quantile(t, quantile[i].percent) / 1e6);
	}
	print_tenant(f, "p4alloc_tenant_wait_seconds_sum", t);
	fprintf(f, "} %.6f\n", t->waited_us / 1e6);
	print_tenant(f, "p4alloc_tenant_wait_seconds_count", t);
	fprintf(f, "} %llu\n", (unsigned long long)t->nr_waits);
}

static void print_refused(FILE *f, const struct p4d_engine *e)
{
	const char *name = "p4alloc_tenant_refused_total";

	print_head(f, name, "counter", "Requests refused, by reason");
	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		for (unsigned int i = 0; i < P4D_REFUSALS; i++)
			if (p4d_refusal_name(i)) {
				print_tenant(f, name, t);
				fprintf(f, ",reason=\"%s\"} %llu\n", p4d_refusal_name(i),
					(unsigned long long)t->refused[i]);
			}
	name = "p4alloc_refused_total";
	print_head(f, name, "counter", "Requests of senders that are no tenant, by reason");
	for (unsigned int i = 0; i < P4D_REFUSALS; i++)
		if (p4d_refusal_name(i))
			fprintf(f, "%s{reason=\"%s\"} %llu\n", name, p4d_refusal_name(i),
				(unsigned long long)e->refused[i]);
}

void p4d_metrics_print(const struct p4d_engine *e, bool store_ok_now,
		       const struct p4d_server_stats *replies, uint64_t now, FILE *f)
{
	struct scene s = { e, store_ok_now, replies, now };

	for (size_t i = 0; i < sizeof(of_rack) / sizeof(of_rack[0]); i++) {
		print_head(f, of_rack[i].name, of_rack[i].type, of_rack[i].help);
		fprintf(f, "%s %.17g\n", of_rack[i].name, of_rack[i].get(&s));
	}
	for (size_t i = 0; i < sizeof(of_tenant) / sizeof(of_tenant[0]); i++) {
		print_head(f, of_tenant[i].name, of_tenant[i].type, of_tenant[i].help);
		for (const struct p4d_tenant *t = e->tenants; t; t = t->link) {
			print_tenant(f, of_tenant[i].name, t);
			fprintf(f, "} %.17g\n", of_tenant[i].get(&s, t));
		}
	}
	print_head(f, "p4alloc_tenant_wait_seconds", "summary",
		   "From the declared start to the grant; quantiles of the last 1024");
	for (const struct p4d_tenant *t = e->tenants; t; t = t->link)
		print_waits(f, t);
	print_refused(f, e);
}
