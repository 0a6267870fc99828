// SPDX-License-Identifier: GPL-2.0-or-later
/* explain.c - see explain.h */
#include <inttypes.h>
#include <string.h>

#include "explain.h"
#include "member.h"

#define BAR 40

static const char *meaning(const char *why)
{
	static const struct { const char *why, *meaning; } t[] = {
		{ "none", "it has no reservation" },
		{ "switch", "the switch cannot be reached, or is not as configured" },
		{ "overran", "it held much longer than it declares, and is out for a while" },
		{ "own", "its batch before this one is not over" },
		{ "start", "its start has not come, as it declared" },
		{ "turn", "others' reservations come first" },
		{ "blocks", "too few blocks are free" },
		{ "flows", "too few flows are free" },
		{ "wait", "none of its nodes waits for it" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (!strcmp(t[i].why, why))
			return t[i].meaning;
	return why;
}

static double ms(struct json_object *o, const char *name)
{
	return member_real(o, name) / 1000;
}

static void print_price(struct json_object *n, FILE *out)
{
	int64_t target = member_number(n, "target");

	fprintf(out, "  a block costs it     %.2f %% of what all %" PRId64 " are worth to it\n",
		100 * member_real(n, "price"), member_number(n, "want"));
	if (member(n, "last_block"))
		fprintf(out, "  block %-4" PRId64 "           brings %.2f %%\n", target,
			100 * member_real(n, "last_block"));
	if (member(n, "next_block"))
		fprintf(out, "  block %-4" PRId64 "           would bring %.2f %%\n", target + 1,
			100 * member_real(n, "next_block"));
}

static void print_number(struct json_object *n, FILE *out)
{
	struct json_object *proof = member(n, "certificate");

	fprintf(out, "\nHow many: %" PRId64 " (target) of %" PRId64 " .. %" PRId64 " asked for; it "
		"holds %" PRId64 "\n", member_number(n, "target"), member_number(n, "min"),
		member_number(n, "want"), member_number(n, "held"));
	fprintf(out, "  its limits           %" PRId64 " guaranteed, %" PRId64 " at most\n",
		member_number(n, "guaranteed"), member_number(n, "most"));
	fprintf(out, "  weight               %" PRId64 ", with its credit of %+.3f block-seconds it "
		"counts %.2f-fold\n", member_number(n, "weight"), member_real(n, "credit") / 1e6,
		member_number(n, "weight") ?
		member_real(n, "factor") / 16 / member_real(n, "weight") : 0);
	fprintf(out, "  needs blocks         %" PRId64 " %% of its time\n", member_number(n, "hot"));
	if (member_number(n, "together") > 1)
		fprintf(out, "  a transaction gains  if all of its %" PRId64 " accesses are there\n",
			member_number(n, "together"));
	print_price(n, out);
	if (json_object_get_boolean(member(proof, "exact")))
		fprintf(out, "  certificate          no division among all tenants is worth more\n");
	else
		fprintf(out, "  certificate          at least %.2f %% of the best division\n",
			100 * member_real(proof, "of_bound"));
}

static void print_check(struct json_object *check, FILE *out)
{
	fprintf(out, "  histogram            %" PRId64 " %% of its worth is believed",
		member_number(check, "believed"));
	if (member_number(check, "batches"))
		fprintf(out, ", after %" PRId64 " counts of the switch\n",
			member_number(check, "batches"));
	else
		fprintf(out, "; the switch has not counted yet\n");
}

static void print_curves(struct json_object *answer, FILE *out)
{
	struct json_object *declared = member(answer, "declared");
	struct json_object *believed = member(answer, "believed");
	int64_t target = member_number(member(answer, "number"), "target");

	fprintf(out, "\nWorth of blocks, declared and believed (%%)\n");
	for (size_t i = 1; i < list_length(declared); i++) {
		double worth = json_object_get_double(list_at(believed, i));
		int bar = worth > 0 && worth <= 1 ? (int)(worth * BAR + 0.5) : 0;

		fprintf(out, "%s%4zu %6.2f %6.2f %.*s\n", (int64_t)i == target ? ">" : " ", i,
			100 * json_object_get_double(list_at(declared, i)), 100 * worth, bar,
			"########################################");
	}
}

static void print_ahead(struct json_object *list, FILE *out)
{
	for (size_t i = 0; i < list_length(list); i++) {
		struct json_object *o = list_at(list, i);

		fprintf(out, "  before it            tenant %" PRId64 ", needs %" PRId64 " blocks",
			member_number(o, "tenant"), member_number(o, "min_blocks"));
		if (member_number(o, "start_us"))
			fprintf(out, " in %.1f ms", ms(o, "start_us"));
		fputc('\n', out);
	}
}

static void print_holders(struct json_object *list, FILE *out)
{
	for (size_t i = 0; i < list_length(list); i++) {
		struct json_object *o = list_at(list, i);
		double left = ms(o, "lease_us");

		fprintf(out, "  holds                tenant %" PRId64 ", %" PRId64 " blocks",
			member_number(o, "tenant"), member_number(o, "blocks"));
		if (!member(o, "lease_us"))
			fprintf(out, ", being given or taken\n");
		else if (left >= 0)
			fprintf(out, ", its lease ends in %.1f ms\n", left);
		else
			fprintf(out, ", its lease ended %.1f ms ago\n", -left);
	}
}

static void print_when(struct json_object *w, FILE *out)
{
	const char *why = member_text(w, "why");

	fprintf(out, "\nWhen: %s\n", !strcmp(why, "none") && member(w, "lease_us") ?
		"it holds its blocks" : meaning(why));
	if (member(w, "lease_us"))
		fprintf(out, "  its lease            %.1f ms left\n", ms(w, "lease_us"));
	if (member_number(w, "start_us"))
		fprintf(out, "  declared start       in %.1f ms\n", ms(w, "start_us"));
	if (member_number(w, "waited_us"))
		fprintf(out, "  has waited           %.1f ms\n", ms(w, "waited_us"));
	if (member(w, "wait_us"))
		fprintf(out, "  a guess              %.1f ms more\n", ms(w, "wait_us"));
	if (member_number(w, "barred_us"))
		fprintf(out, "  is out for           %.1f ms\n", ms(w, "barred_us"));
	if (member_number(w, "passed_over"))
		fprintf(out, "  was passed over      %" PRId64 " times\n",
			member_number(w, "passed_over"));
	fprintf(out, "  holds, in the mean   %" PRId64 " %% of the time it declares\n",
		member_number(w, "overrun"));
	fprintf(out, "  free                 %" PRId64 " blocks\n", member_number(w, "free"));
	print_ahead(member(w, "ahead"), out);
	print_holders(member(w, "holders"), out);
}

void explain_print(struct json_object *answer, FILE *out)
{
	fprintf(out, "Tenant %" PRId64 " ", member_number(answer, "tenant"));
	for (const char *c = member_text(answer, "name"); *c; c++)
		fputc(*c < ' ' || *c > '~' ? '?' : *c, out);
	fprintf(out, ", batch %" PRId64 "\n", member_number(answer, "batch"));
	if (!member(answer, "number")) {
		fputs("\nIt holds nothing and has reserved nothing.\n", out);
		return;
	}
	print_number(member(answer, "number"), out);
	print_check(member(answer, "check"), out);
	print_curves(answer, out);
	print_when(member(answer, "when"), out);
}
