/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports.h - what the switch's ports saw, as rackport.ko tells it. */
#ifndef RACK_PORTS_H
#define RACK_PORTS_H

#include <stdint.h>
#include <stdio.h>

#include "quantile.h"

struct ports {
	uint64_t packets, bytes, marked, dropped;
	uint64_t max_bytes;		/* of any port */
	struct quantiles queue;		/* bytes, by how long; all ports alike */
};

/* Adds the lines of `from` for the first `only` ports; -1 if one cannot be understood. */
int ports_read(struct ports *p, FILE *from, int only);

#endif /* RACK_PORTS_H */
