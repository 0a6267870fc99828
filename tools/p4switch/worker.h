/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - the one thread that runs packets through the pipeline and, in between, commands. The
 * library lets up to 16 packets be under way and may stop inside of one, so before anything
 * else touches registers or tables the worker closes the ports and lets them come out.
 */
#ifndef P4SWITCH_WORKER_H
#define P4SWITCH_WORKER_H

#include "spec.h"

struct l2;
struct rte_swx_pipeline;

struct worker_config {
	const struct spec *spec;
	struct rte_swx_pipeline *pipeline;
	struct l2 *l2;
	unsigned int max_nap_us;
};

/* Returns 0 when SIGTERM or SIGINT came, a negative errno if the pipeline failed. */
int worker_run(const struct worker_config *config);

#endif
