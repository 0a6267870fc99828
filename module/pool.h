/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pool.h - the region of user memory that a socket's messages are put into: which parts are free.
 */
#ifndef P4HOMA_POOL_H
#define P4HOMA_POOL_H

#include <linux/types.h>
#include <linux/homa.h>

struct homa_pool;

/* Bookkeeping for `length` bytes of user memory at `start`; ERR_PTR on failure. The memory itself
 * is never touched here.
 */
struct homa_pool *homa_pool_create(u64 start, u64 length);
void homa_pool_destroy(struct homa_pool *pool);

/* Room for a message: offsets[k] is where its bytes from k * 64 KiB go. 0 or -ENOBUFS. Bottom halves
 * are off.
 */
int homa_pool_alloc(struct homa_pool *pool, u32 length, u32 offsets[HOMA_MAX_BPAGES], u32 *nr);

/* Gives back what homa_pool_alloc() gave. -EINVAL, and nothing is changed, if one of the offsets
 * was not given out or is named twice.
 */
int homa_pool_free(struct homa_pool *pool, const u32 *offsets, u32 nr);

u64 homa_pool_start(const struct homa_pool *pool);
u64 homa_pool_length(const struct homa_pool *pool);
u64 homa_pool_avail(struct homa_pool *pool);	/* bytes that messages can be put into */

#endif /* P4HOMA_POOL_H */
