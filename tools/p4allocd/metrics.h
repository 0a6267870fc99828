/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics.h - the allocator's state in Prometheus' text format (version 0.0.4), names and meanings as
 * p4allocd(8) lists them. Reads the engine, never changes it.
 */
#ifndef P4D_METRICS_H
#define P4D_METRICS_H

#include <stdio.h>

#include "engine.h"
#include "server.h"

void p4d_metrics_print(const struct p4d_engine *e, bool store_ok,
		       const struct p4d_server_stats *replies, uint64_t now, FILE *f);

#endif /* P4D_METRICS_H */
