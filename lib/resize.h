/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize.h - other blocks for a batch that runs. */
#ifndef P4A_RESIZE_H
#define P4A_RESIZE_H

#include "ctx.h"

/* The call waits for transactions on blocks that are to go: sends it, if they are over. */
void p4a_resize_run(struct p4a_ctx *ctx);

/* p4a_sync(P4A_RESIZED) up to its answer. */
int p4a_resize_ready(struct p4a_ctx *ctx);

#endif
