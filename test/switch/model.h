/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model.h - doc/switch.md in plain C, one transaction at a time, to compare the switch with. */
#ifndef TEST_SWITCH_MODEL_H
#define TEST_SWITCH_MODEL_H

#include <stdint.h>

#include "p4wire.h"

enum { MODEL_REPLAY = 6, MODEL_DROPPED = 7 };	/* besides enum p4w_txn_status */

struct model_flow {
	uint64_t state, serial;
	uint32_t result[P4W_INSTRS];
};

struct model {
	unsigned int registers, dependent, blocks, flows;
	uint64_t owner[P4W_MAX_BLOCKS], lock[P4W_MAX_BLOCKS], serial[P4W_MAX_BLOCKS];
	uint64_t access[P4W_MAX_BLOCKS];
	struct model_flow flow[65536];
	uint32_t cell[P4W_MAX_REGISTERS][P4W_MAX_BLOCKS * P4W_BLOCK_SLOTS];
};

/* Turns the request into its reply, both passes at once; returns what was answered. */
int model_run(struct model *m, struct p4w_txn *txn);

#endif
