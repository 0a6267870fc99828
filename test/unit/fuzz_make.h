/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_make.h - messages for an allocator: such as fit what a tenant has under way, and how to spoil
 * them. All from one seed.
 */
#ifndef FUZZ_MAKE_H
#define FUZZ_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../tools/p4allocd/engine.h"

#define FUZZ_TENANTS 8
#define FUZZ_MAKE_MAX 65536	/* bytes of a message that fits */

void fuzz_seed(uint64_t seed);		/* forgets all */
uint32_t fuzz_rnd(uint32_t n);		/* 0 .. n-1 */

/* t: NULL, unknown. locks_only: locks, mostly, and no blocks. Returns the length. */
size_t fuzz_make(uint8_t *out, const struct p4d_tenant *t, bool locks_only);

/* Changes it, with a new length up to `room`; what is added is what was there before. */
size_t fuzz_spoil(uint8_t *bytes, size_t len, size_t room);

/* What was told to somebody is used again. */
void fuzz_sends(uint32_t tenant, uint64_t rpc, const void *bytes, size_t len);
void fuzz_heard(uint64_t rpc, const void *bytes);

#endif /* FUZZ_MAKE_H */
