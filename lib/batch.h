/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batch.h - what the calls of a batch have in common. */
#ifndef P4A_BATCH_H
#define P4A_BATCH_H

#include "call.h"

void p4a_batch_move(struct p4a_ctx *ctx, enum p4a_event event);

/* For answer(): -EBADMSG with text. */
int p4a_batch_wrong_type(struct p4a_ctx *ctx, int type);
/* For failed(): the allocator has taken the blocks back, if it is -ESTALE. Returns err. */
int p4a_batch_expire(struct p4a_ctx *ctx, int err);

/* -EINVAL with text. */
int p4a_batch_range(struct p4a_ctx *ctx, const char *field, uint32_t got, uint32_t min,
		    uint32_t max);

/* How many blocks may be asked for: without a geometry, as many as there may ever be. */
unsigned int p4a_batch_blocks_max(const struct p4a_ctx *ctx);

/* Sends a message that is a head alone. */
void p4a_batch_send(struct p4a_ctx *ctx, enum p4w_msg_type type, uint32_t batch, uint32_t code);

/* What a public function does after begin: both forms of each call end here. */
int p4a_batch_join(struct p4a_ctx *ctx, int rc);
int p4a_batch_detach(struct p4a_ctx *ctx, int rc, void *user);

/* Takes begin back: the call has failed before it began. Returns rc. */
int p4a_batch_cancel(struct p4a_ctx *ctx, int rc);

#endif
