// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trace.c - reads and writes traces, and defines what an operation does to a value.
 *
 * The reader takes nothing that it does not understand: each complaint names file, line, field and
 * the accepted range, and leaves the caller's trace as it was.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define IN_TEXT 5		/* the first ones may stand in a trace */

static const struct { char letter; uint8_t kind; } kinds[] = {
	{ 'r', TRACE_READ }, { 'w', TRACE_WRITE }, { 'a', TRACE_ADD }, { 'c', TRACE_CADD },
	{ 'f', TRACE_REFILL }, { 'k', TRACE_CHARGE }, { 'R', TRACE_READ | TRACE_SOURCE },
	{ 'W', TRACE_WRITE | TRACE_SOURCE }, { 'd', TRACE_ADD | TRACE_DEPENDENT },
	{ 'K', TRACE_CHARGE | TRACE_DEPENDENT },
};

char trace_kind_letter(unsigned int kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind)
			return kinds[i].letter;
	return '?';
}

static unsigned int kind_among(char letter, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (kinds[i].letter == letter)
			return kinds[i].kind;
	return 0;
}

unsigned int trace_kind_of(char letter)
{
	return kind_among(letter, sizeof(kinds) / sizeof(kinds[0]));
}

uint32_t trace_initial(uint32_t key)
{
	uint32_t x = key * 2654435761u;

	return (x ^ x >> 15) | 1;
}

__attribute__((format(printf, 2, 3)))
static int refuse(struct trace_error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static const char *blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* A decimal number at *p that ends at a blank, `;` or the end; moves *p behind it. */
static int number(const char **p, uint64_t max, uint64_t *out)
{
	const char *s = *p;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++) {
		v = v * 10 + (*s - '0');
		if (v > max)
			return -ERANGE;
	}
	if (*s && *s != ' ' && *s != '\t' && *s != ';')
		return -EINVAL;
	*p = s;
	*out = v;
	return 0;
}

static int field(const char *where, const char *name, const char **p, uint64_t max, uint64_t *out,
		 struct trace_error *err)
{
	*p = blanks(*p);
	if (!number(p, max, out))
		return 0;
	return refuse(err, "%s: %s is '%.*s', must be 0 .. %llu", where, name,
		      (int)strcspn(*p, " \t;"), *p, (unsigned long long)max);
}

static int parse_op(const char *where, const char **p, uint32_t keys, struct trace_op *op,
		    struct trace_error *err)
{
	uint64_t key, operand = 0;
	unsigned int kind;

	*p = blanks(*p);
	kind = kind_among(**p, IN_TEXT);
	if (!kind || ((*p)[1] != ' ' && (*p)[1] != '\t'))
		return refuse(err, "%s: operation is '%.*s', must be r, w, a, c or f", where,
			      (int)strcspn(*p, " \t;"), *p);
	++*p;
	if (field(where, "KEY", p, keys - 1, &key, err))
		return -EINVAL;
	if (kind != TRACE_READ &&
	    field(where, kind == TRACE_WRITE ? "VALUE" : "DELTA", p, UINT32_MAX, &operand, err))
		return -EINVAL;
	*p = blanks(*p);
	if (**p && **p != ';')
		return refuse(err, "%s: '%.16s' behind the operation, must be ; or the end", where,
			      *p);
	*op = (struct trace_op){ .key = key, .operand = operand, .kind = kind };
	return 0;
}

static bool has_key(const struct trace_op *ops, unsigned int n, uint32_t key)
{
	while (n--)
		if (ops[n].key == key)
			return true;
	return false;
}

int trace_parse_line(const char *where, const char *line, uint32_t keys,
		     struct trace_op ops[TRACE_OPS_MAX], struct trace_error *err)
{
	const char *p = blanks(line);
	unsigned int n = 0;

	if (!*p || *p == '#')
		return 0;
	for (;; p++) {
		if (n == TRACE_OPS_MAX)
			return refuse(err, "%s: operations are more than %u, must be 1 .. %u", where,
				      TRACE_OPS_MAX, TRACE_OPS_MAX);
		if (parse_op(where, &p, keys, &ops[n], err))
			return -EINVAL;
		if (has_key(ops, n, ops[n].key))
			return refuse(err, "%s: KEY %u occurs twice in the transaction", where,
				      ops[n].key);
		n++;
		if (!*p)
			return n;
	}
}

struct growing {
	struct trace t;
	size_t nr_ops, room_ops, room_txns;
};

static int append(struct growing *g, const struct trace_op *ops, unsigned int n)
{
	if (g->nr_ops + n > g->room_ops) {
		size_t room = 2 * g->room_ops + 1024;
		void *p = realloc(g->t.ops, room * sizeof(*ops));

		if (!p)
			return -ENOMEM;
		g->t.ops = p;
		g->room_ops = room;
	}
	if (g->t.txns + 2 > g->room_txns) {
		size_t room = 2 * g->room_txns + 1024;
		void *p = realloc(g->t.first, room * sizeof(*g->t.first));

		if (!p)
			return -ENOMEM;
		g->t.first = p;
		g->room_txns = room;
	}
	if (n)
		memcpy(g->t.ops + g->nr_ops, ops, n * sizeof(*ops));
	g->t.first[g->t.txns] = g->nr_ops;
	g->nr_ops += n;
	if (n)
		g->t.txns++;
	return 0;
}

static int read_lines(FILE *f, const char *path, uint32_t keys, struct growing *g,
		      struct trace_error *err)
{
	struct trace_op ops[TRACE_OPS_MAX];
	char where[160], *line = NULL;
	unsigned long nr = 0;
	size_t room = 0;
	ssize_t len;
	int n = 0;

	while (n >= 0 && (len = getline(&line, &room, f)) >= 0) {
		if (len && line[len - 1] == '\n')
			line[--len] = 0;
		snprintf(where, sizeof(where), "%.120s:%lu", path, ++nr);
		if (memchr(line, 0, len))
			n = refuse(err, "%s: operation has a NUL byte, must be text", where);
		else
			n = trace_parse_line(where, line, keys, ops, err);
		if (n > 0 && append(g, ops, n))
			n = -ENOMEM;
	}
	free(line);
	if (n >= 0 && ferror(f))
		return -EIO;
	return n < 0 ? n : 0;
}

int trace_read(struct trace *t, const char *path, uint32_t keys, struct trace_error *err)
{
	struct growing g = { 0 };
	FILE *f = fopen(path, "re");
	int rc;

	if (!f) {
		rc = -errno;
		refuse(err, "%.160s: %s", path, strerror(-rc));
		return rc;
	}
	err->text[0] = 0;
	rc = read_lines(f, path, keys, &g, err);
	fclose(f);
	if (!rc)
		rc = append(&g, NULL, 0);	/* the end of the last transaction */
	if (!rc && !g.t.txns)
		rc = refuse(err, "%.160s: holds no transaction", path);
	if (rc) {
		if (!err->text[0])
			refuse(err, "%.160s: %s", path, strerror(-rc));
		trace_free(&g.t);
		return rc;
	}
	*t = g.t;
	return 0;
}

int trace_new(struct trace *t, uint32_t txns)
{
	*t = (struct trace){ .ops = calloc((size_t)txns * TRACE_OPS_MAX, sizeof(*t->ops)),
			     .first = calloc((size_t)txns + 1, sizeof(*t->first)) };
	if (t->ops && t->first)
		return 0;
	trace_free(t);
	return -ENOMEM;
}

void trace_add(struct trace *t, const struct trace_op *ops, unsigned int n)
{
	memcpy(t->ops + t->first[t->txns], ops, n * sizeof(*ops));
	t->first[t->txns + 1] = t->first[t->txns] + n;
	t->txns++;
}

void trace_free(struct trace *t)
{
	free(t->ops);
	free(t->first);
	*t = (struct trace){ 0 };
}

void trace_write_txn(FILE *f, const struct trace_op *ops, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		fprintf(f, "%s%c %u", i ? ";" : "", trace_kind_letter(ops[i].kind), ops[i].key);
		if (ops[i].kind != TRACE_READ)
			fprintf(f, " %u", ops[i].operand);
	}
	putc('\n', f);
}
