// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * history_read.c - reads histories for the oracle; see history.h.
 *
 * Strict: whatever a writer would not have written is refused with file, line and field, since a
 * history that is half understood proves nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"

struct reader {
	struct history *h;
	const char *path;
	const char *p;			/* where we are in the line */
	unsigned long line;
	struct trace_error *err;
};

static int refuse(struct reader *r, const char *field, const char *must)
{
	snprintf(r->err->text, sizeof(r->err->text), "%.120s:%lu: %s is '%.16s', must be %s", r->path,
		 r->line, field, r->p, must);
	return -EINVAL;
}

/* Makes room for one more element behind n; arrays grow at powers of two. @array: its pointer. */
static int grow(void *array, size_t n, size_t size)
{
	void *p;

	if (n & (n - 1))
		return 0;
	memcpy(&p, array, sizeof(p));	/* whatever type it points to */
	p = realloc(p, (n ? 2 * n : 1) * size);
	if (!p)
		return -ENOMEM;
	memcpy(array, &p, sizeof(p));
	return 0;
}

/* A number that follows a blank. */
static int number(struct reader *r, const char *field, uint64_t max, uint64_t *out)
{
	char must[48], *end;

	snprintf(must, sizeof(must), "0 .. %" PRIu64, max);
	if (*r->p != ' ' || !isdigit((unsigned char)r->p[1]))
		return refuse(r, field, must);
	errno = 0;
	*out = strtoull(r->p + 1, &end, 10);
	if (errno || *out > max)
		return refuse(r, field, must);
	r->p = end;
	return 0;
}

static int number32(struct reader *r, const char *field, uint32_t max, uint32_t *out)
{
	uint64_t v;
	int rc = number(r, field, max, &v);

	if (!rc)
		*out = v;
	return rc;
}

static int line_end(struct reader *r)
{
	return *r->p ? refuse(r, "rest of the line", "empty") : 0;
}

static int read_head(struct reader *r)
{
	struct history_head *d = &r->h->head;
	unsigned int version;
	char start[16];
	int used = 0;

	if (sscanf(r->p, "history %u tenant %u node %u of %u keys %u txns %u start %15s%n", &version,
		   &d->tenant, &d->node, &d->nodes, &d->keys, &d->txns, start, &used) != 7 ||
	    r->p[used])
		return refuse(r, "head", "'history 1 tenant T node N of M keys K txns X start S'");
	while (d->start < START_KINDS && strcmp(start_name(d->start), start))
		d->start++;
	if (d->start == START_KINDS)
		return refuse(r, "start", "mixed, bank or orders");
	if (version != HISTORY_VERSION)
		return refuse(r, "version", "1");
	if (!d->nodes || d->nodes > 64 || d->node >= d->nodes)
		return refuse(r, "node", "0 .. nodes-1, nodes 1 .. 64");
	if (!d->keys || d->keys > TRACE_KEYS_MAX)
		return refuse(r, "keys", "1 .. 1000000000");
	return 0;
}

static int read_op(struct reader *r)
{
	struct history *h = r->h;
	struct history_op o = { 0 };
	int rc;

	if (r->p[0] != ';' || (r->p[1] != 'h' && r->p[1] != 'c') || !trace_kind_of(r->p[2]))
		return refuse(r, "operation", ";h or ;c and a kind of operation");
	o.hot = r->p[1] == 'h';
	o.op.kind = trace_kind_of(r->p[2]);
	r->p += 3;
	rc = number32(r, "KEY", h->head.keys - 1, &o.op.key);
	if (!rc)
		rc = number32(r, "OPERAND", UINT32_MAX, &o.op.operand);
	if (!rc)
		rc = number32(r, "GOT", UINT32_MAX, &o.got);
	if (!rc && !o.hot)
		rc = number32(r, "VERSION", UINT32_MAX, &o.version);
	if (!rc && !o.hot)
		rc = number(r, "EPOCH", UINT64_MAX, &o.epoch);
	if (!rc)
		rc = grow(&h->ops, h->nr_ops, sizeof(o));
	if (!rc)
		h->ops[h->nr_ops++] = o;
	return rc;
}

static int read_commit(struct reader *r)
{
	struct history *h = r->h;
	struct history_commit c = { .first = h->nr_ops };
	int rc;

	rc = number32(r, "NUMBER", UINT32_MAX, &c.number);
	if (!rc)
		rc = number(r, "SERIAL", UINT64_MAX, &c.serial);
	if (!rc)
		rc = number(r, "EPOCH", UINT64_MAX, &c.epoch);
	while (!rc && *r->p) {
		rc = read_op(r);
		if (!rc && ++c.n > TRACE_OPS_MAX)
			rc = refuse(r, "operations", "at most 16");
	}
	if (!rc && !c.n)
		rc = refuse(r, "operation", "there");
	if (!rc)
		rc = grow(&h->commits, h->nr_commits, sizeof(c));
	if (!rc)
		h->commits[h->nr_commits++] = c;
	return rc;
}

static int read_fate(struct reader *r, uint32_t **list, size_t *n)
{
	uint32_t txn;
	int rc = number32(r, "NUMBER", UINT32_MAX, &txn);

	if (!rc)
		rc = line_end(r);
	if (!rc)
		rc = grow(list, *n, sizeof(**list));
	if (!rc)
		(*list)[(*n)++] = txn;
	return rc;
}

static int read_logs(struct reader *r)
{
	struct history *h = r->h;
	struct history_logs l;
	int rc;

	rc = number(r, "EPOCH", UINT64_MAX, &l.epoch);
	if (!rc)
		rc = number(r, "UNSEEN", UINT64_MAX, &l.unseen);
	if (!rc)
		rc = line_end(r);
	if (!rc)
		rc = grow(&h->logs, h->nr_logs, sizeof(l));
	if (!rc)
		h->logs[h->nr_logs++] = l;
	return rc;
}

static int read_final(struct reader *r)
{
	struct history *h = r->h;
	struct history_key k;
	int rc;

	rc = number32(r, "KEY", h->head.keys - 1, &k.key);
	if (!rc)
		rc = number32(r, "VALUE", UINT32_MAX, &k.value);
	if (!rc)
		rc = number32(r, "VERSION", UINT32_MAX, &k.version);
	if (!rc)
		rc = line_end(r);
	if (!rc)
		rc = grow(&h->finals, h->nr_finals, sizeof(k));
	if (!rc)
		h->finals[h->nr_finals++] = k;
	return rc;
}

static int read_line(struct reader *r)
{
	char letter = *r->p++;

	switch (letter) {
	case 'C':
		return read_commit(r);
	case 'A':
		return read_fate(r, &r->h->aborted, &r->h->nr_aborted);
	case 'U':
		return read_fate(r, &r->h->unknown, &r->h->nr_unknown);
	case 'L':
		return read_logs(r);
	case 'F':
		return read_final(r);
	}
	r->p--;
	return refuse(r, "line", "C, A, U, L, F or end");
}

/* 1 at the end line, 0 otherwise. */
static int read_end(struct reader *r)
{
	uint64_t lines;
	int rc;

	if (strncmp(r->p, "end", 3))
		return 0;
	r->p += 3;
	rc = number(r, "LINES", UINT64_MAX, &lines);
	if (rc)
		return rc;
	if (lines != r->line - 1)
		return refuse(r, "LINES", "the number of lines before");
	rc = line_end(r);
	return rc ? rc : 1;
}

static int read_file(struct reader *r, FILE *f)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int rc = 0;

	while (rc >= 0 && (len = getline(&line, &room, f)) >= 0) {
		r->line++;
		r->p = line;
		if (rc) {
			rc = refuse(r, "line", "nothing behind the end");
			break;
		}
		if (line[len - 1] == '\n')
			line[len - 1] = 0;
		else if (r->h->cut && r->line > 1)
			break;
		if (r->line == 1)
			rc = read_head(r);
		else
			rc = read_end(r);
		if (!rc && r->line > 1)
			rc = read_line(r);
	}
	if (!rc && !(r->h->cut && r->line)) {
		r->line++;
		r->p = "";
		rc = refuse(r, "end line", "there: the file is not complete");
	}
	free(line);
	return rc < 0 ? rc : 0;
}

static int read_path(struct history *h, const char *path, bool cut, struct trace_error *err)
{
	struct history fresh = { .cut = cut };
	struct reader r = { .h = &fresh, .path = path, .err = err };
	FILE *f = fopen(path, "re");
	int rc;

	if (!f) {
		rc = -errno;
		snprintf(err->text, sizeof(err->text), "%.160s: %s", path, strerror(-rc));
		return rc;
	}
	snprintf(err->text, sizeof(err->text), "%.160s: out of memory", path);
	rc = read_file(&r, f);
	fclose(f);
	if (rc)
		history_free(&fresh);
	else
		*h = fresh;
	return rc;
}

int history_read(struct history *h, const char *path, struct trace_error *err)
{
	return read_path(h, path, false, err);
}

int history_read_cut(struct history *h, const char *path, struct trace_error *err)
{
	return read_path(h, path, true, err);
}

void history_free(struct history *h)
{
	free(h->commits);
	free(h->ops);
	free(h->aborted);
	free(h->unknown);
	free(h->logs);
	free(h->finals);
	*h = (struct history){ 0 };
}
