// SPDX-License-Identifier: GPL-2.0-or-later
/* args.c - see args.h */
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>

#include "args.h"
#include "value.h"

#define WORDS_MAX	64	/* that a suggestion looks at */

static const char *spec_name(const struct arg_spec *s)
{
	return s->word ? s->word : s->value;
}

void arg_accepts(const struct arg_spec *s, char *buf, size_t len)
{
	char lo[VALUE_LEN], hi[VALUE_LEN];

	buf[0] = '\0';
	switch (s->type) {
	case ARG_NUMBER:
		snprintf(buf, len, "%" PRIu64 "..%" PRIu64, s->min, s->max);
		break;
	case ARG_ID:
		snprintf(buf, len, "%" PRIu64 "..%" PRIu64 " or none", s->min, s->max);
		break;
	case ARG_TIME:
		format_time(s->min, lo);
		format_time(s->max, hi);
		snprintf(buf, len, "%s..%s", s->min ? lo : "0", hi);
		break;
	case ARG_USER:
		snprintf(buf, len, "user name");
		break;
	case ARG_GROUP:
		snprintf(buf, len, "group name");
		break;
	case ARG_NAME:
		snprintf(buf, len, "1..%" PRIu64 " of [A-Za-z0-9._-]", s->max);
		break;
	case ARG_ADDR:
		snprintf(buf, len, "IPv4 address or none");
		break;
	case ARG_TEXT:
	case ARG_FLAG:
		break;
	}
}

static int bad_value(const struct arg_spec *s, const char *word, const char *what, struct diag *d)
{
	char accepts[96];

	arg_accepts(s, accepts, sizeof(accepts));
	return fault_usage(d, "%s: '%s' %s; accepted: %s", spec_name(s), word, what, accepts);
}

int arg_number(const char *what, const char *word, uint64_t min, uint64_t max, uint64_t *out,
	       struct diag *d)
{
	const struct arg_spec s = { .word = what, .type = ARG_NUMBER, .min = min, .max = max };

	if (!parse_number(word, out))
		return bad_value(&s, word, "is not a number", d);
	if (*out < min || *out > max)
		return bad_value(&s, word, "is out of range", d);
	return 0;
}

static int id_value(const struct arg_spec *s, struct arg *a, struct diag *d)
{
	if (!strcmp(a->text, "none")) {
		a->number = UINT32_MAX;
		return 0;
	}
	if (!parse_number(a->text, &a->number))
		return bad_value(s, a->text, "is not a number", d);
	if (a->number < s->min || a->number > s->max)
		return bad_value(s, a->text, "is out of range", d);
	return 0;
}

static int time_value(const struct arg_spec *s, struct arg *a, struct diag *d)
{
	uint64_t us;

	if (!parse_time(a->text, &us)) {
		if (parse_number(a->text, &us))
			return bad_value(s, a->text, "needs a unit (us, ms, s, m)", d);
		return bad_value(s, a->text, "is not a time like 500us, 20ms or 2s", d);
	}
	if (us < s->min || us > s->max)
		return bad_value(s, a->text, "is out of range", d);
	a->number = us;
	return 0;
}

static int user_value(const struct arg_spec *s, struct arg *a, struct diag *d)
{
	const struct passwd *pw = getpwnam(a->text);

	if (!pw)
		return fault_usage(d, "%s: there is no user '%s' (by number: uid)", s->word,
				   a->text);
	a->number = pw->pw_uid;
	return 0;
}

static int group_value(const struct arg_spec *s, struct arg *a, struct diag *d)
{
	const struct group *gr = getgrnam(a->text);

	if (!gr)
		return fault_usage(d, "%s: there is no group '%s' (by number: gid)", s->word,
				   a->text);
	a->number = gr->gr_gid;
	return 0;
}

static int take_value(const struct arg_spec *s, struct arg *a, struct diag *d)
{
	uint32_t addr;

	switch (s->type) {
	case ARG_NUMBER:
		return arg_number(spec_name(s), a->text, s->min, s->max, &a->number, d);
	case ARG_ID:
		return id_value(s, a, d);
	case ARG_TIME:
		return time_value(s, a, d);
	case ARG_USER:
		return user_value(s, a, d);
	case ARG_GROUP:
		return group_value(s, a, d);
	case ARG_NAME:
		return is_name(a->text, s->max) ? 0 :
			bad_value(s, a->text, "is not a name", d);
	case ARG_ADDR:
		if (!parse_addr(a->text, &addr))
			return bad_value(s, a->text, "is not an address", d);
		a->number = addr;
		return 0;
	case ARG_TEXT:
		return *a->text ? 0 : fault_usage(d, "%s: the value is empty", spec_name(s));
	case ARG_FLAG:
		break;
	}
	return 0;
}

void suggest(const char *word, const char *const *words, char *buf, size_t len)
{
	unsigned int best = 1 + strlen(word) / 3, dist;
	const char *near = NULL;
	size_t used;
	int i;

	for (i = 0; words[i]; i++) {
		dist = strlen(word) > 1 && !strncmp(word, words[i], strlen(word)) ? 0 :
			word_distance(word, words[i]);
		if (dist <= best && (!near || dist < best)) {
			best = dist;
			near = words[i];
		}
	}
	if (near) {
		snprintf(buf, len, "did you mean '%s'?", near);
		return;
	}
	if (!words[0]) {
		snprintf(buf, len, "nothing may follow here");
		return;
	}
	used = snprintf(buf, len, "expected one of:");
	for (i = 0; words[i] && used < len; i++)
		used += snprintf(buf + used, len - used, " %s", words[i]);
}

static bool is_word(const char *word, const char *given, size_t length)
{
	return word && strlen(word) == length && !strncmp(word, given, length);
}

bool arg_spec_has(const struct arg_spec *s, const char *word, size_t length)
{
	return is_word(s->word, word, length) || is_word(s->brief, word, length);
}

/* The entry that takes the value after this keyword or option; length without "=value". */
static int find_word(const struct arg_spec *specs, const char *word, size_t length)
{
	int i;

	for (i = 0; !arg_spec_ends(&specs[i]); i++)
		if (arg_spec_has(&specs[i], word, length))
			return i;
	return -1;
}

static int find_position(const struct arg_spec *specs, const struct arg *args, bool required)
{
	int i;

	for (i = 0; !arg_spec_ends(&specs[i]); i++)
		if (!specs[i].word && (!args[i].given || specs[i].many) &&
		    (specs[i].required || !required))
			return i;
	return -1;
}

static int unknown_word(const struct arg_spec *specs, const struct arg *args, const char *word,
			struct diag *d)
{
	const char *words[WORDS_MAX];
	char hint[320];
	int i, n = 0;

	for (i = 0; !arg_spec_ends(&specs[i]); i++)
		if (specs[i].word && !args[i].given &&
		    (word[0] == '-') == (specs[i].word[0] == '-'))
			words[n++] = specs[i].word;
	words[n] = NULL;
	suggest(word, words, hint, sizeof(hint));
	return fault_usage(d, "'%s' is not known here: %s", word, hint);
}

static int missing_value(const struct arg_spec *s, struct diag *d)
{
	char accepts[96];

	arg_accepts(s, accepts, sizeof(accepts));
	return fault_usage(d, "%s needs a value%s%s", spec_name(s), *accepts ? ": " : "", accepts);
}

/* Takes a keyword or option and its value: the number of words used, or -1. */
static int take_word(const struct arg_spec *s, struct arg *a, int argc, char *const *argv,
		     struct diag *d)
{
	char *equals = strchr(argv[0], '=');

	if (a->given)
		return fault_usage(d, "%s is given twice", s->word);
	a->given = true;
	if (s->type == ARG_FLAG)
		return equals ? fault_usage(d, "%s takes no value", s->word) : 1;
	if (!equals && argc < 2)
		return missing_value(s, d);
	a->text = equals ? equals + 1 : argv[1];
	return take_value(s, a, d) ? -1 : 1 + !equals;
}

static int take_position(const struct arg_spec *s, struct arg *a, char *const *argv, struct diag *d)
{
	if (s->many && a->given) {
		a->count++;
		return 0;
	}
	a->given = true;
	a->text = argv[0];
	a->list = argv;
	a->count = 1;
	return s->many ? 0 : take_value(s, a, d);
}

static int check_required(const struct arg_spec *specs, const struct arg *args, struct diag *d)
{
	char accepts[96];
	int i;

	for (i = 0; !arg_spec_ends(&specs[i]); i++) {
		if (!specs[i].required || args[i].given)
			continue;
		arg_accepts(&specs[i], accepts, sizeof(accepts));
		return fault_usage(d, "%s is missing: %s%s%s%s", spec_name(&specs[i]),
				   specs[i].help, *accepts ? " (" : "", accepts,
				   *accepts ? ")" : "");
	}
	return 0;
}

/*
 * A required positional comes first of all; after it keywords go before optional positionals, so
 * a keyword cannot be mistaken for a value. Words of a `many` list are contiguous.
 */
int args_parse(const struct arg_spec *specs, int argc, char *const *argv, struct arg *args,
	       struct diag *d)
{
	int i, at, used, many_end = -1;

	memset(args, 0, ARGS_MAX * sizeof(*args));
	for (i = 0; i < argc; i += used) {
		bool option = argv[i][0] == '-' && argv[i][1];
		size_t length = option ? strcspn(argv[i], "=") : strlen(argv[i]);

		used = 1;
		at = option ? -1 : find_position(specs, args, true);
		if (at < 0)
			at = find_word(specs, argv[i], length);
		if (at < 0 && !option)
			at = find_position(specs, args, false);
		if (at < 0)
			return unknown_word(specs, args, argv[i], d);
		if (specs[at].word) {
			used = take_word(&specs[at], &args[at], argc - i, argv + i, d);
			if (used < 0)
				return -1;
			continue;
		}
		if (specs[at].many && args[at].given && many_end != i)
			return unknown_word(specs, args, argv[i], d);
		if (take_position(&specs[at], &args[at], argv + i, d))
			return -1;
		many_end = i + 1;
	}
	return check_required(specs, args, d);
}
