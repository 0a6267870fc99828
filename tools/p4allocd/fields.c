// SPDX-License-Identifier: GPL-2.0-or-later
/* fields.c - see fields.h. */
#include <endian.h>
#include <string.h>

#include "blocks.h"
#include "fields.h"
#include "flows.h"

/* --------------------------------------------------------------------------------- writing */

static uint64_t number_at(const struct p4d_field *f, const void *base)
{
	const char *p = (const char *)base + f->at;
	uint64_t v = 0;

	memcpy(&v, p, f->size);
	return le64toh(v);
}

static void put_hex(struct p4d_lines_out *l, const uint8_t *bytes, size_t n)
{
	static const char digit[] = "0123456789abcdef";

	while (n && !bytes[n - 1])	/* what is missing is 0 */
		n--;
	for (size_t i = 0; i < n; i++) {
		l->text[l->len++] = digit[bytes[i] >> 4];
		l->text[l->len++] = digit[bytes[i] & 15];
	}
}

static void put_text(struct p4d_lines_out *l, const char *text)
{
	size_t n = strlen(text);

	memcpy(l->text + l->len, text, n);
	l->len += n;
}

static void put_number(struct p4d_lines_out *l, uint64_t v)
{
	char digits[20];
	int n = 0;

	do
		digits[n++] = '0' + v % 10;
	while (v /= 10);
	while (n)
		l->text[l->len++] = digits[--n];
}

/* Up to the last node that has any; the length. */
static size_t ranges_to_wire(const struct p4d_range *r, uint8_t *out)
{
	unsigned int n = P4W_NODES_MAX;

	while (n && !r[n - 1].count)
		n--;
	for (unsigned int i = 0; i < n; i++) {
		uint32_t be[2] = { htobe32(r[i].first), htobe32(r[i].count) };

		memcpy(out + 8 * i, be, 8);
	}
	return 8 * n;
}

static void put_field(struct p4d_lines_out *l, const struct p4d_field *f, const void *base)
{
	const char *p = (const char *)base + f->at;
	uint8_t bytes[8 * P4W_NODES_MAX];
	uint64_t v;

	put_text(l, f->name);
	put_text(l, "=");
	switch (f->kind) {
	case P4D_SIGNED:
		v = number_at(f, base);
		if (v >> 63)
			put_text(l, "-");
		put_number(l, v >> 63 ? -v : v);
		break;
	case P4D_NUMBER:
		put_number(l, number_at(f, base));
		break;
	case P4D_BLOCKS:
		p4d_blocks_to_wire((const struct p4d_blocks *)p, bytes);
		put_hex(l, bytes, f->size);
		break;
	case P4D_RANGES:
		put_hex(l, bytes, ranges_to_wire((const struct p4d_range *)p, bytes));
		break;
	}
	put_text(l, " ");
}

void p4d_fields_put(struct p4d_lines_out *l, const struct p4d_field *f, const void *base)
{
	for (; f->name; f++)
		put_field(l, f, base);
}

void p4d_fields_word(struct p4d_lines_out *l, const char *word)
{
	put_text(l, word);
	put_text(l, " ");
}

void p4d_fields_end(struct p4d_lines_out *l)
{
	l->text[l->len - 1] = '\n';
}

/* --------------------------------------------------------------------------------- reading */

bool p4d_fields_spoil(struct p4d_lines_in *r, const char *what)
{
	r->bad = what;
	return false;
}

static void store_number(const struct p4d_field *f, void *base, uint64_t v)
{
	v = htole64(v);
	memcpy((char *)base + f->at, &v, f->size);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(struct p4d_lines_in *r, const struct p4d_field *f, uint8_t *bytes)
{
	size_t n = 0;

	memset(bytes, 0, f->size);
	for (; r->stop - r->at >= 2 && *r->at != ' '; r->at += 2) {
		int high = digit_of(r->at[0]), low = digit_of(r->at[1]);

		if (high < 0 || low < 0 || n == f->size)
			return p4d_fields_spoil(r, f->name);
		bytes[n++] = high << 4 | low;
	}
	return true;
}

static bool read_number(struct p4d_lines_in *r, const struct p4d_field *f, void *base)
{
	bool negative = r->at < r->stop && *r->at == '-';
	const char *from = r->at += negative;
	uint64_t v = 0;

	for (; r->at < r->stop && *r->at >= '0' && *r->at <= '9'; r->at++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, *r->at - '0', &v))
			return p4d_fields_spoil(r, f->name);
	v = negative ? -v : v;
	if (r->at == from || v < f->min || v > f->max)
		return p4d_fields_spoil(r, f->name);
	store_number(f, base, v);
	return true;
}

static bool read_value(struct p4d_lines_in *r, const struct p4d_field *f, void *base)
{
	uint8_t bytes[8 * P4W_NODES_MAX];
	char *p = (char *)base + f->at;
	uint32_t be[2];

	if (f->kind == P4D_NUMBER || f->kind == P4D_SIGNED)
		return read_number(r, f, base);
	if (!read_hex(r, f, bytes))
		return false;
	if (f->kind == P4D_BLOCKS)
		p4d_blocks_from_wire((struct p4d_blocks *)p, bytes);
	for (unsigned int i = 0; f->kind == P4D_RANGES && i < P4W_NODES_MAX; i++) {
		memcpy(be, bytes + 8 * i, 8);
		((struct p4d_range *)p)[i] = (struct p4d_range){ be32toh(be[0]), be32toh(be[1]) };
	}
	return true;
}

/* Finds the field of `name=` at the start of what is left, and steps over it. */
static const struct p4d_field *named(struct p4d_lines_in *r, const struct p4d_field *f)
{
	for (; f && f->name; f++) {
		size_t n = strlen(f->name);

		if ((size_t)(r->stop - r->at) > n && r->at[n] == '=' &&
		    !memcmp(r->at, f->name, n)) {
			r->at += n + 1;
			return f;
		}
	}
	return NULL;
}

bool p4d_fields_get(struct p4d_lines_in *r, const struct p4d_field *fa, void *a,
			const struct p4d_field *fb, void *b)
{
	while (r->at < r->stop) {
		const struct p4d_field *f = named(r, fa);
		void *base = a;

		if (!f) {
			f = named(r, fb);
			base = b;
		}
		if (!f)
			return p4d_fields_spoil(r, "a name that this version does not know");
		if (!read_value(r, f, base))
			return false;
		if (r->at < r->stop && *r->at++ != ' ')
			return p4d_fields_spoil(r, f->name);
	}
	return true;
}

bool p4d_fields_next(struct p4d_lines_in *r)
{
	const char *newline;

	if (r->rest == r->end)
		return false;
	newline = memchr(r->rest, '\n', r->end - r->rest);
	r->at = r->rest;
	r->stop = newline ? newline : r->end;
	r->rest = newline ? newline + 1 : r->end;
	return true;
}

bool p4d_fields_skip(struct p4d_lines_in *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->stop - r->at) <= n || memcmp(r->at, word, n) || r->at[n] != ' ')
		return false;
	r->at += n + 1;
	return true;
}

