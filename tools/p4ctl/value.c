// SPDX-License-Identifier: GPL-2.0-or-later
/* value.c - see value.h */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "value.h"

static const struct unit { const char *name; uint64_t us; } units[] = {
	{ "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 },
};

#define NR_UNITS	(sizeof(units) / sizeof(units[0]))

static int digit(char c, int base)
{
	int v = c >= '0' && c <= '9' ? c - '0' :
		c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;

	return v < base ? v : -1;
}

/* Reads digits up to the first other character, to which *s then points. */
static bool take_digits(const char **s, int base, uint64_t *out)
{
	uint64_t v = 0;

	if (digit(**s, base) < 0)
		return false;
	for (; digit(**s, base) >= 0; ++*s)
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)digit(**s, base), &v))
			return false;
	*out = v;
	return true;
}

bool parse_number(const char *s, uint64_t *out)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	uint64_t v;

	s += hex ? 2 : 0;
	if (!take_digits(&s, hex ? 16 : 10, &v) || *s)
		return false;
	*out = v;
	return true;
}

/* The digits after a decimal point, as microseconds of a unit. */
static bool take_fraction(const char **s, const struct unit *u, uint64_t *us)
{
	const char *start = *s;
	uint64_t v, scale = 1;
	ptrdiff_t n;

	if (!take_digits(s, 10, &v) || *s - start > 9)
		return false;
	for (n = *s - start; n; n--)
		scale *= 10;
	*us = v * u->us / scale;
	return v * u->us % scale == 0;
}

static bool parse_time_in(const char *s, const struct unit *u, uint64_t *us)
{
	uint64_t whole, part = 0;

	if (!take_digits(&s, 10, &whole))
		return false;
	if (*s == '.') {
		s++;
		if (!take_fraction(&s, u, &part))
			return false;
	}
	if (strcmp(s, u->name) || __builtin_mul_overflow(whole, u->us, &whole))
		return false;
	return !__builtin_add_overflow(whole, part, us);
}

bool parse_time(const char *s, uint64_t *us)
{
	size_t i;

	if (!strcmp(s, "0")) {
		*us = 0;
		return true;
	}
	for (i = 0; i < NR_UNITS; i++)
		if (parse_time_in(s, &units[i], us))
			return true;
	return false;
}

void format_time(uint64_t us, char buf[VALUE_LEN])
{
	size_t i = NR_UNITS - 2;	/* minutes are read, but 60s says more than 1m */

	while (i && (us % units[i].us || !us))
		i--;
	snprintf(buf, VALUE_LEN, "%" PRIu64 "%s", us / units[i].us, units[i].name);
}

bool is_name(const char *s, size_t max)
{
	size_t len = strlen(s);

	return len && len <= max &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		      "0123456789._-") == len;
}

bool parse_addr(const char *s, uint32_t *addr)
{
	struct in_addr in;

	if (!strcmp(s, "none")) {
		*addr = 0;
		return true;
	}
	if (inet_pton(AF_INET, s, &in) != 1)
		return false;
	*addr = in.s_addr;
	return true;
}

void format_addr(uint32_t addr, char buf[VALUE_LEN])
{
	struct in_addr in = { .s_addr = addr };

	if (addr)
		inet_ntop(AF_INET, &in, buf, VALUE_LEN);
	else
		strcpy(buf, "none");
}

static bool bit(const uint8_t *bitmap, size_t b)
{
	return bitmap[b / 8] >> (b % 8) & 1;
}

/* Appends a range if it and a later ",.." fit; otherwise ends the list with ",..". */
static bool append_range(char *buf, size_t len, size_t first, size_t last)
{
	size_t used = strlen(buf);
	char range[48];
	int n;

	if (first == last)
		n = snprintf(range, sizeof(range), "%s%zu", used ? "," : "", first);
	else
		n = snprintf(range, sizeof(range), "%s%zu-%zu", used ? "," : "", first, last);
	if (used + n + sizeof(",..") <= len) {
		strcpy(buf + used, range);
		return true;
	}
	if (used + sizeof(",..") <= len)
		strcpy(buf + used, ",..");
	return false;
}

unsigned int format_blocks(const uint8_t *bitmap, size_t bytes, char *buf, size_t len)
{
	bool room = true;
	unsigned int n = 0;
	size_t b, first;

	buf[0] = '\0';
	for (b = 0; b < 8 * bytes; b++) {
		if (!bit(bitmap, b))
			continue;
		for (first = b; b + 1 < 8 * bytes && bit(bitmap, b + 1); b++)
			;
		n += b - first + 1;
		room = room && append_range(buf, len, first, b);
	}
	if (!n)
		snprintf(buf, len, "none");
	return n;
}

void format_rate(double per_second, char buf[VALUE_LEN])
{
	static const char suffix[] = { 'k', 'M', 'G', 'T' };
	int i = -1;

	while (per_second >= 9999.5 && i < 3) {
		per_second /= 1000;
		i++;
	}
	if (i < 0)
		snprintf(buf, VALUE_LEN, per_second && per_second < 99.5 ? "%.1f" : "%.0f",
			 per_second);
	else
		snprintf(buf, VALUE_LEN, "%.0f%c", per_second, suffix[i]);
}

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

#define WORD_MAX	31	/* longer words are compared by their beginning */

unsigned int word_distance(const char *a, const char *b)
{
	unsigned int d[WORD_MAX + 1][WORD_MAX + 1];
	size_t la = strnlen(a, WORD_MAX), lb = strnlen(b, WORD_MAX);
	size_t i, j;

	for (i = 0; i <= la; i++)
		d[i][0] = i;
	for (j = 0; j <= lb; j++)
		d[0][j] = j;
	for (i = 1; i <= la; i++) {
		for (j = 1; j <= lb; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[la][lb];
}
