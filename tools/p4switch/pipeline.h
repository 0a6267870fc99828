/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pipeline.h - makes a pipeline of DPDK's SWX library out of a checked program. */
#ifndef P4SWITCH_PIPELINE_H
#define P4SWITCH_PIPELINE_H

#include "spec.h"

struct rte_swx_pipeline;

/* NULL: `err` says what the pipeline refused. */
struct rte_swx_pipeline *pipeline_build(const struct spec *spec, char err[SPEC_ERR]);

#endif
