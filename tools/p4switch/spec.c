// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spec.c - reads the text of a packet program. One line is one item; `;` starts a comment; braces
 * stand at the ends of lines. Only what p4c-dpdk emits for programs of this project is known:
 * anything else is an error and not skipped.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

#define FILE_MAX	(1 << 20)

struct line {
	int number;
	int nr;
	char *token[SPEC_TOKENS];
	char text[512];
};

struct reader {
	struct spec *spec;
	const char *next;
	struct line line;
	char *err;
};

int spec_error(const struct spec *spec, int line, char err[SPEC_ERR], const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(err, SPEC_ERR, "%s:%d: ", spec->file, line);

	va_start(ap, fmt);
	if (n < SPEC_ERR)
		vsnprintf(err + n, SPEC_ERR - n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

#define fail(r, ...) spec_error((r)->spec, (r)->line.number, (r)->err, __VA_ARGS__)

void *spec_grow(void **array, size_t *nr, size_t size)
{
	char *p = realloc(*array, (*nr + 1) * size);

	if (!p)
		abort();
	*array = p;
	p += *nr * size;
	memset(p, 0, size);
	++*nr;
	return p;
}

#define GROW(array, nr) spec_grow((void **)&(array), &(nr), sizeof(*(array)))

/* 1: r->line is the next line with something on it; 0: end of the text. */
static int next_line(struct reader *r)
{
	struct line *l = &r->line;

	while (*r->next) {
		size_t n = strcspn(r->next, "\n");
		char *p, *save;

		l->number++;
		l->nr = 0;
		if (n >= sizeof(l->text))
			return fail(r, "longer than %zu characters", sizeof(l->text) - 1);
		memcpy(l->text, r->next, n);
		l->text[n] = 0;
		r->next += n + (r->next[n] == '\n');
		l->text[strcspn(l->text, ";")] = 0;
		for (p = strtok_r(l->text, " \t\r", &save); p; p = strtok_r(NULL, " \t\r", &save)) {
			if (l->nr == SPEC_TOKENS)
				return fail(r, "more than %d words", SPEC_TOKENS);
			if (strlen(p) >= SPEC_NAME)
				return fail(r, "'%.20s..' is longer than %d characters", p,
					    SPEC_NAME - 1);
			l->token[l->nr++] = p;
		}
		if (l->nr)
			return 1;
	}
	return 0;
}

/* As next_line(), but 0 means the block's closing brace, and the text must not end before. */
static int next_inside(struct reader *r, const char *block)
{
	int ret = next_line(r);

	if (!ret)
		return fail(r, "the text ends inside of %s", block);
	if (ret > 0 && !strcmp(r->line.token[0], "}"))
		return r->line.nr == 1 ? 0 : fail(r, "'}' must stand alone");
	return ret;
}

/* Does the line consist of these words? "%" stands for any one word. */
static bool line_is(const struct line *l, const char *pattern)
{
	int i;

	for (i = 0; i < l->nr; i++) {
		size_t n = strcspn(pattern, " ");

		if (!n || (strncmp(pattern, "%", n) &&
			   (strlen(l->token[i]) != n || strncmp(pattern, l->token[i], n))))
			return false;
		pattern += n + (pattern[n] == ' ');
	}
	return !*pattern;
}

static int parse_number(struct reader *r, const char *text, uint64_t max, const char *what,
			uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno || *end || text[0] < '0' || text[0] > '9' || *value > max)
		return fail(r, "%s is '%s', must be 0 .. %llu", what, text,
			    (unsigned long long)max);
	return 0;
}

/* Copies a name that must be new: `known` is the result of looking it up. */
static int new_name(struct reader *r, char dst[SPEC_NAME], const char *name, const void *known)
{
	if (known)
		return fail(r, "'%s' is defined twice", name);
	strcpy(dst, name);
	return 0;
}

#define LOOKUP(kind, list, nr)									\
const struct kind *kind(const struct spec *spec, const char *name)				\
{												\
	for (size_t i = 0; i < spec->nr; i++)							\
		if (!strcmp(spec->list[i].name, name))						\
			return &spec->list[i];							\
	return NULL;										\
}
LOOKUP(spec_struct, structs, nr_structs)
LOOKUP(spec_array, arrays, nr_arrays)
LOOKUP(spec_action, actions, nr_actions)
LOOKUP(spec_table, tables, nr_tables)

const struct spec_array *spec_declared(const struct spec *spec, const char *name)
{
	const struct spec_array *a = spec_array(spec, name);
	char inner[SPEC_NAME + 2];

	snprintf(inner, sizeof(inner), "%.*s_0", SPEC_NAME - 1, name);
	return a ?: spec_array(spec, inner);
}

unsigned int spec_registers(const struct spec *spec, const struct spec_array **r, unsigned int max)
{
	const struct spec_array *a;
	unsigned int n = 0;
	char name[12];

	for (;; n++) {
		snprintf(name, sizeof(name), "r%u", n);
		a = spec_declared(spec, name);
		if (!a)
			return n;
		if (n < max)
			r[n] = a;
	}
}

static int parse_field(struct reader *r, struct spec_struct *s)
{
	const struct spec_field *last = s->nr_fields ? &s->fields[s->nr_fields - 1] : NULL;
	unsigned int offset = last ? last->offset + last->bits : 0;
	struct spec_field *f;
	unsigned int bits;
	char end;

	if (r->line.nr != 2 || sscanf(r->line.token[0], "bit<%u%c", &bits, &end) != 2 || end != '>')
		return fail(r, "expected 'bit<N> NAME'");
	if (!bits || bits % 8 || bits > 64)
		return fail(r, "bit<%u>: the width must be 8, 16, .. 64", bits);
	for (size_t i = 0; i < s->nr_fields; i++)
		if (!strcmp(s->fields[i].name, r->line.token[1]))
			return fail(r, "'%s' is defined twice", r->line.token[1]);
	if ((offset + bits) / 8 > 256)
		return fail(r, "'%s' ends behind byte 256 of its structure", r->line.token[1]);
	f = GROW(s->fields, s->nr_fields);
	strcpy(f->name, r->line.token[1]);
	f->bits = bits;
	f->offset = offset;
	return 0;
}

static int parse_struct(struct reader *r)
{
	const char *name = r->line.token[1];
	const struct spec_struct *known = spec_struct(r->spec, name);
	struct spec_struct *s = GROW(r->spec->structs, r->spec->nr_structs);
	int ret = new_name(r, s->name, name, known);

	s->line = r->line.number;
	while (!ret && (ret = next_inside(r, "a struct")) > 0)
		ret = parse_field(r, s);
	if (!ret && !s->nr_fields)
		return fail(r, "struct '%s' has no fields", s->name);
	return ret;
}

static int parse_header(struct reader *r)
{
	struct spec_header *h;

	for (size_t i = 0; i < r->spec->nr_headers; i++)
		if (!strcmp(r->spec->headers[i].name, r->line.token[1]))
			return fail(r, "'%s' is defined twice", r->line.token[1]);
	if (r->spec->nr_headers == 64)
		return fail(r, "more than 64 headers");
	h = GROW(r->spec->headers, r->spec->nr_headers);
	strcpy(h->name, r->line.token[1]);
	strcpy(h->type, r->line.token[3]);
	h->line = r->line.number;
	return 0;
}

static int parse_metadata(struct reader *r)
{
	if (r->spec->metadata[0])
		return fail(r, "metadata is defined twice");
	strcpy(r->spec->metadata, r->line.token[2]);
	r->spec->metadata_line = r->line.number;
	return 0;
}

static int parse_array(struct reader *r)
{
	uint64_t size, initval;
	struct spec_array *a;
	int ret;

	ret = parse_number(r, r->line.token[3], 1u << 24, "size", &size);
	if (ret)
		return ret;
	if (!size)
		return fail(r, "size is 0, must be 1 .. %u", 1u << 24);
	ret = parse_number(r, r->line.token[5], UINT64_MAX, "initval", &initval);
	if (ret)
		return ret;
	if (r->spec->nr_arrays == 256)
		return fail(r, "more than 256 register arrays");
	if (spec_array(r->spec, r->line.token[1]))
		return fail(r, "'%s' is defined twice", r->line.token[1]);
	a = GROW(r->spec->arrays, r->spec->nr_arrays);
	strcpy(a->name, r->line.token[1]);
	a->line = r->line.number;
	a->size = size;
	a->initval = initval;
	return 0;
}

static int parse_code(struct reader *r, struct spec_code *code, const char *block)
{
	int ret;

	while ((ret = next_inside(r, block)) > 0) {
		struct line *l = &r->line;
		int first = l->nr > 1 && !strcmp(l->token[1], ":") ? 2 : 0;
		struct spec_instr *i;

		if (l->nr == first)
			return fail(r, "no instruction behind the label");
		if (l->nr - first > 5)
			return fail(r, "more than 4 operands");
		i = GROW(code->instr, code->nr);
		i->line = l->number;
		i->nr_tokens = l->nr - first;
		if (first)
			strcpy(i->label, l->token[0]);
		for (int t = 0; t < i->nr_tokens; t++)
			strcpy(i->token[t], l->token[first + t]);
	}
	return ret;
}

static int parse_action(struct reader *r)
{
	const char *name = r->line.token[1];
	const struct spec_action *known = spec_action(r->spec, name);
	struct spec_action *a = GROW(r->spec->actions, r->spec->nr_actions);
	int ret = new_name(r, a->name, name, known);

	if (ret)
		return ret;
	a->line = r->line.number;
	if (r->line.nr == 6)
		strcpy(a->args, r->line.token[4]);
	return parse_code(r, &a->code, "an action");
}

static int parse_key(struct reader *r, struct spec_table *t)
{
	int ret;

	while ((ret = next_inside(r, "a key")) > 0) {
		struct spec_key *k;

		if (r->line.nr != 2)
			return fail(r, "expected 'FIELD exact|wildcard|lpm'");
		k = GROW(t->keys, t->nr_keys);
		k->line = r->line.number;
		strcpy(k->field, r->line.token[0]);
		strcpy(k->match, r->line.token[1]);
	}
	return ret;
}

static int parse_table_actions(struct reader *r, struct spec_table *t)
{
	int ret;

	while ((ret = next_inside(r, "a list of actions")) > 0) {
		if (r->line.nr != 1)
			return fail(r, "expected one action");
		strcpy(GROW(t->actions, t->nr_actions), r->line.token[0]);
	}
	return ret;
}

static int parse_table_line(struct reader *r, struct spec_table *t)
{
	uint64_t size;
	int ret;

	if (line_is(&r->line, "key {"))
		return parse_key(r, t);
	if (line_is(&r->line, "actions {"))
		return parse_table_actions(r, t);
	if (line_is(&r->line, "default_action % args none") ||
	    line_is(&r->line, "default_action % args none const")) {
		strcpy(t->default_action, r->line.token[1]);
		t->default_const = r->line.nr == 5;
		return 0;
	}
	if (line_is(&r->line, "size %")) {
		ret = parse_number(r, r->line.token[1], 1u << 24, "size", &size);
		t->size = size;
		return ret;
	}
	return fail(r, "'%s' is not known in a table", r->line.token[0]);
}

static int parse_table(struct reader *r)
{
	const char *name = r->line.token[1];
	const struct spec_table *known = spec_table(r->spec, name);
	struct spec_table *t = GROW(r->spec->tables, r->spec->nr_tables);
	int ret = new_name(r, t->name, name, known);

	t->line = r->line.number;
	while (!ret && (ret = next_inside(r, "a table")) > 0)
		ret = parse_table_line(r, t);
	return ret;
}

static int parse_apply(struct reader *r)
{
	if (r->spec->apply.nr)
		return fail(r, "apply is defined twice");
	return parse_code(r, &r->spec->apply, "apply");
}

static const struct {
	const char *pattern;
	int (*parse)(struct reader *r);
} items[] = {
	{ "struct % {",				parse_struct },
	{ "header % instanceof %",		parse_header },
	{ "metadata instanceof %",		parse_metadata },
	{ "regarray % size % initval %",	parse_array },
	{ "action % args none {",		parse_action },
	{ "action % args instanceof % {",	parse_action },
	{ "table % {",				parse_table },
	{ "apply {",				parse_apply },
};

static int parse_item(struct reader *r)
{
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		if (line_is(&r->line, items[i].pattern))
			return items[i].parse(r);
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		if (!strncmp(r->line.token[0], items[i].pattern, strcspn(items[i].pattern, " ")) &&
		    strlen(r->line.token[0]) == strcspn(items[i].pattern, " "))
			return fail(r, "expected '%s', %% being any word", items[i].pattern);
	return fail(r, "'%s' is not known", r->line.token[0]);
}

int spec_parse(struct spec *spec, const char *file, const char *text, char err[SPEC_ERR])
{
	struct reader r = { .spec = spec, .next = text, .err = err };
	int ret;

	memset(spec, 0, sizeof(*spec));
	snprintf(spec->file, sizeof(spec->file), "%s", file);
	while ((ret = next_line(&r)) > 0) {
		ret = parse_item(&r);
		if (ret)
			break;
	}
	if (!ret && !spec->apply.nr)
		ret = fail(&r, "no apply block");
	if (!ret && !spec->metadata[0])
		ret = fail(&r, "no metadata");
	if (ret)
		spec_free(spec);
	return ret;
}

int spec_load(struct spec *spec, const char *path, char err[SPEC_ERR])
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	FILE *f = fopen(path, "r");
	char *text;
	size_t n;
	int ret;

	if (!f) {
		snprintf(err, SPEC_ERR, "%s: %s", path, strerror(errno));
		return -errno;
	}
	text = calloc(1, FILE_MAX + 1);
	n = text ? fread(text, 1, FILE_MAX, f) : 0;
	if (!text || ferror(f)) {
		snprintf(err, SPEC_ERR, "%s: cannot be read", path);
		ret = -EIO;
	} else if (n == FILE_MAX || strlen(text) != n) {
		snprintf(err, SPEC_ERR, "%s: not a text of less than %d bytes", path, FILE_MAX);
		ret = -EINVAL;
	} else {
		ret = spec_parse(spec, name, text, err);
	}
	free(text);
	fclose(f);
	return ret;
}

void spec_free(struct spec *spec)
{
	size_t i;

	for (i = 0; i < spec->nr_structs; i++)
		free(spec->structs[i].fields);
	for (i = 0; i < spec->nr_actions; i++)
		free(spec->actions[i].code.instr);
	for (i = 0; i < spec->nr_tables; i++) {
		free(spec->tables[i].keys);
		free(spec->tables[i].actions);
	}
	free(spec->structs);
	free(spec->headers);
	free(spec->arrays);
	free(spec->actions);
	free(spec->tables);
	free(spec->apply.instr);
	memset(spec, 0, sizeof(*spec));
}
