// SPDX-License-Identifier: GPL-2.0-or-later
/* knobs.c - see knobs.h */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "knobs.h"
#include "p4ctl_knobs.h"	/* HOMA_KNOBS, cut out of the module's knobs.h by build.mk */
#include "value.h"

const struct knob knobs[] = {
#define X(name, unit, min, max, def, help) { #name, 1, unit, min, max, def, help },
	HOMA_KNOBS(X)
#undef X
#define X(name, count, unit, min, max, def, help) { #name, count, unit, min, max, def, help },
	HOMA_KNOBS_PRIORITY(X)
#undef X
	{ 0 },
};

const struct knob *knob_find(const char *name)
{
	const struct knob *k;

	for (k = knobs; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

static int check_number(const struct knob *k, const char *value, struct diag *d)
{
	uint64_t v;

	if (!parse_number(value, &v))
		return fault_usage(d, "%s: '%s' is not a number; accepted: %" PRId64 "..%" PRId64
				   " %s", k->name, value, k->min, k->max, k->unit);
	if (v > INT64_MAX || (int64_t)v < k->min || (int64_t)v > k->max)
		return fault_usage(d, "%s: '%s' is out of range; accepted: %" PRId64 "..%" PRId64
				   " %s", k->name, value, k->min, k->max, k->unit);
	return 0;
}

/* Each number of the value. How many there must be, the kernel knows. */
static int check_range(const struct knob *k, const char *value, struct diag *d)
{
	char copy[KNOB_VALUE_LEN], *rest = copy, *word;
	int ret = 0;

	if (k->count == 1)
		return check_number(k, value, d);
	snprintf(copy, sizeof(copy), "%s", value);
	while (!ret && (word = strsep(&rest, " \t")))
		if (*word)
			ret = check_number(k, word, d);
	return ret;
}

int knob_parse(const char *word, char *name, size_t name_len, char *value, size_t value_len,
	       struct diag *d)
{
	const char *equals, *start = word;
	const struct knob *k;

	if (!strncmp(start, "net.homa.", 9))
		start += 9;
	equals = strchr(start, '=');
	if (!equals || !equals[1])
		return fault_usage(d, "'%s' is not of the form NAME=VALUE", word);
	snprintf(name, name_len, "%.*s", (int)(equals - start), start);
	snprintf(value, value_len, "%s", equals + 1);
	if (!is_name(name, name_len) || strchr(name, '.') || strlen(equals + 1) >= value_len ||
	    (size_t)(equals - start) >= name_len)
		return fault_usage(d, "'%s' is not of the form NAME=VALUE", word);
	k = knob_find(name);
	return k ? check_range(k, value, d) : 0;
}
