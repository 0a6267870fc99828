// SPDX-License-Identifier: GPL-2.0-or-later
/* ports.c - see ports.h. */
#include <stdlib.h>
#include <string.h>

#include "ports.h"

#define BANDS	8

static int read_bins(struct ports *p, const char *text)
{
	unsigned long bytes, ns;
	int len;

	for (; sscanf(text, " %lu:%lu%n", &bytes, &ns, &len) == 2; text += len)
		quantiles_add_weighted(&p->queue, bytes, ns);
	return text[strspn(text, " \n")] ? -1 : 0;
}

static int read_port(struct ports *p, const char *line, int only)
{
	unsigned long packets, bytes, marked, max, dropped[BANDS];
	int port, len = 0, i;

	sscanf(line, "port %d packets %lu bytes %lu marked %lu max %lu "
	       "dropped %lu %lu %lu %lu %lu %lu %lu %lu bins%n", &port, &packets, &bytes, &marked, &max,
	       &dropped[0], &dropped[1], &dropped[2], &dropped[3], &dropped[4], &dropped[5],
	       &dropped[6], &dropped[7], &len);
	if (!len)
		return -1;
	if (port > only)
		return 0;
	p->packets += packets;
	p->bytes += bytes;
	p->marked += marked;
	for (i = 0; i < BANDS; i++)
		p->dropped += dropped[i];
	if (max > p->max_bytes)
		p->max_bytes = max;
	return read_bins(p, line + len);
}

int ports_read(struct ports *p, FILE *from, int only)
{
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	while (!err && getline(&line, &size, from) > 0)
		err = read_port(p, line, only);
	free(line);
	return err;
}
