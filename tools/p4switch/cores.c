// SPDX-License-Identifier: GPL-2.0-or-later
/* cores.c - see cores.h */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cores.h"

#define ONLINE	"/sys/devices/system/cpu/online"

struct range {
	unsigned long from, to;
};

static bool take_number(const char **at, unsigned long *n)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	*n = strtoul(*at, &end, 10);
	*at = end;
	return true;
}

/* The next of a list; *at is behind it and its comma. */
static bool take_range(const char **at, struct range *r)
{
	if (!take_number(at, &r->from))
		return false;
	r->to = r->from;
	if (**at == '-') {
		++*at;
		if (!take_number(at, &r->to) || r->to < r->from)
			return false;
	}
	if (!**at)
		return true;
	return *(*at)++ == ',' && **at;
}

static bool is_online(const char *online, unsigned long cpu)
{
	struct range r;

	while (*online && take_range(&online, &r))
		if (cpu >= r.from && cpu <= r.to)
			return true;
	return false;
}

int cores_check(const char *list, const char *online, char *err, size_t len)
{
	const char *at = list;
	struct range r;

	do {
		if (!take_range(&at, &r)) {
			snprintf(err, len, "--cores must be like 0-1,3, of CPUs %s", online);
			return -EINVAL;
		}
		for (; is_online(online, r.from) && r.from < r.to; r.from++)
			;
		if (!is_online(online, r.from)) {
			snprintf(err, len, "--cores %s: CPU %lu is not online; there are CPUs %s", list,
				 r.from, online);
			return -EINVAL;
		}
	} while (*at);
	if (strlen(list) >= CORES_TEXT) {
		snprintf(err, len, "--cores: the list is too long");
		return -EINVAL;
	}
	return 0;
}

int cores_online(char *list, size_t len)
{
	FILE *f = fopen(ONLINE, "r");
	int ret = 0;

	if (!f)
		return -errno;
	if (!fgets(list, len, f))
		ret = -EIO;
	else if (!strchr(list, '\n'))
		ret = -E2BIG;
	else
		list[strcspn(list, "\n")] = '\0';
	fclose(f);
	return ret;
}
