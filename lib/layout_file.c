// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * layout_file.c - reads `key:count` files. Owns the file and the arrays while it reads; accepts
 * nothing that it does not understand in full, and says in which line it stopped.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "layout.h"

#define LINE_MAX_BYTES	128		/* a well-formed line needs 37 */

struct counts {
	struct p4a_key_count *kc;
	uint32_t *line;			/* of kc[i] */
	size_t n, room;
	uint64_t total;
};

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

/* Reads digits up to max; NULL if there are none or too many. Signs are not digits. */
static const char *number(const char *p, uint64_t max, uint64_t *value)
{
	const char *start = p;

	for (*value = 0; *p >= '0' && *p <= '9'; p++) {
		unsigned int digit = *p - '0';

		if (*value > (max - digit) / 10)
			return NULL;
		*value = *value * 10 + digit;
	}
	return p == start ? NULL : p;
}

/* 1: *kc is set; 0: nothing in this line; else -errno and *what. */
static int parse_line(const char *p, struct p4a_key_count *kc, const char **what)
{
	p = skip_blanks(p);
	if (!*p || *p == '#')
		return 0;
	*what = "key: must be a decimal number 0 .. 18446744073709551615";
	p = number(p, UINT64_MAX, &kc->key);
	if (!p)
		return -EINVAL;
	p = skip_blanks(p);
	*what = "separator: must be ':' between key and count";
	if (*p != ':')
		return -EINVAL;
	*what = "count: must be a decimal number 1 .. 281474976710655";
	p = number(skip_blanks(p + 1), P4A_MAX_TOTAL, &kc->count);
	if (!p || !kc->count)
		return -EINVAL;
	p = skip_blanks(p);
	*what = "count: must end the line, or :d or :s follows";
	if (!*p)
		return 1;
	if (*p != ':')
		return -EINVAL;
	p = skip_blanks(p + 1);
	kc->count |= *p == 'd' ? P4A_KEY_DEPENDENT : *p == 's' ? P4A_KEY_SOURCE : 0;
	return *p && strchr("ds", *p) && !*skip_blanks(p + 1) ? 1 : -EINVAL;
}

static int append(struct counts *c, const struct p4a_key_count *kc, uint32_t line)
{
	if (c->n == c->room) {
		size_t room = c->room ? 2 * c->room : 4096;
		void *grown = realloc(c->kc, room * sizeof(*c->kc));

		if (!grown)
			return -ENOMEM;
		c->kc = grown;
		grown = realloc(c->line, room * sizeof(*c->line));
		if (!grown)
			return -ENOMEM;
		c->line = grown;
		c->room = room;
	}
	c->kc[c->n] = *kc;
	c->line[c->n++] = line;
	return 0;
}

/* Reads a line without its end into buf: 1, or 0 at the end of the file, or -EINVAL if no good line
 * can be like this. A comment may be longer than buf; its rest is left out.
 */
static int read_line(FILE *f, char *buf)
{
	size_t len = 0;
	int ch;

	while ((ch = getc_unlocked(f)) != EOF && ch != '\n') {
		if (len < LINE_MAX_BYTES - 1)
			buf[len++] = ch;
		else if (buf[strspn(buf, " \t")] != '#')
			return -EINVAL;
		buf[len] = 0;
	}
	if (len && buf[len - 1] == '\r')
		len--;
	buf[len] = 0;
	if (memchr(buf, 0, len))
		return -EINVAL;
	return ch != EOF || len;
}

static int read_counts(FILE *f, const char *path, struct counts *c, struct p4a_error *err)
{
	char buf[LINE_MAX_BYTES] = "";
	struct p4a_key_count kc;
	const char *what;
	uint32_t line;
	int rc;

	for (line = 1; (rc = read_line(f, buf)) > 0; line++) {
		rc = parse_line(buf, &kc, &what);
		if (rc < 0)
			return p4a_fail(err, rc, "%s:%u: %s", path, line, what);
		if (!rc)
			continue;
		c->total += kc.count & ~(P4A_KEY_DEPENDENT | P4A_KEY_SOURCE);
		if (c->total > P4A_MAX_TOTAL)
			return p4a_fail(err, -ERANGE, "%s:%u: count: the sum of all must be 1 .. %"
					PRIu64, path, line, P4A_MAX_TOTAL);
		if (append(c, &kc, line))
			return p4a_fail(err, -ENOMEM, "%s:%u: no memory for more keys", path, line);
	}
	if (rc < 0)
		return p4a_fail(err, rc, "%s:%u: line: must be text of less than %d bytes", path,
				line, LINE_MAX_BYTES);
	if (ferror(f))
		return p4a_fail(err, -errno, "%s:%u: %s", path, line, strerror(errno));
	return 0;
}

static uint32_t line_of_repeat(const struct counts *c, uint64_t key)
{
	size_t i;

	for (i = c->n; i-- > 0; )
		if (c->kc[i].key == key)
			break;
	return c->line[i];
}

int p4a_layout_from_file(struct p4a_layout **out, const struct p4a_geometry *geo,
			 const char *path, struct p4a_error *err)
{
	struct counts c = { 0 };
	uint64_t twice;
	FILE *f;
	int rc;

	f = fopen(path, "re");
	if (!f)
		return p4a_fail(err, -errno, "%s: %s", path, strerror(errno));
	rc = read_counts(f, path, &c, err);
	if (!rc)
		rc = p4a_layout_build(out, geo, c.kc, c.n, err, &twice);
	if (rc == -EEXIST)
		p4a_fail(err, rc, "%s:%u: key: %" PRIu64 " occurs twice", path,
			 line_of_repeat(&c, twice), twice);
	fclose(f);
	free(c.kc);
	free(c.line);
	return rc;
}
