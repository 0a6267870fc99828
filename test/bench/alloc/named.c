// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * named.c - named locks in process: 10,000 names drawn evenly, each looked at, taken and given back;
 * and the same with a thousand held by others all the time
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../tools/p4allocd/named.h"
#include "../../../util/zipf.h"
#include "bench.h"

#define NAMES	10000
#define ROUNDS	1000000

static struct p4d_name name[NAMES], drawn[ROUNDS];

static struct p4d_claim_of owner(uint64_t id)
{
	return (struct p4d_claim_of) {
		.owner = id, .lease_us = 1000000, .mode = P4W_LOCK_EXCLUSIVE,
	};
}

/* Nanoseconds of a check, an acquire and a release, together; *got: how many went well. */
static double cycle_ns(struct p4d_named *t, uint64_t *got)
{
	uint64_t from = bench_ns(), token, well = 0;
	static uint64_t last = 8;
	struct p4d_claim_of me = owner(last);

	for (uint32_t i = 0; i < ROUNDS; i++) {
		const struct p4d_name n = drawn[i];

		me.owner++;		/* another one for each hold */
		well += p4d_named_check(t, i, n) == 0;
		if (p4d_named_acquire(t, i, n, &me, &token) != P4D_NAMED_HELD)
			continue;
		well += p4d_named_release(t, i, n, me.owner, token);
	}
	*got += well;
	last = me.owner;
	return (double)(bench_ns() - from) / ROUNDS;
}

int main(void)
{
	uint64_t next_token = 1, token, got = 0;
	struct p4d_named *t = p4d_named_create(0x1234567, 0, 0, &next_token);
	struct p4d_claim_of other = owner(8);
	struct rng r = { 1 };

	other.lease_us = UINT32_MAX;
	for (uint32_t i = 0; i < NAMES; i++)
		snprintf((char *)&name[i], sizeof(name[i]), "warehouse/%u", i);
	for (uint32_t i = 0; i < ROUNDS; i++)
		drawn[i] = name[rng_below(&r, NAMES)];
	bench_least("named-operations", 3e3 / cycle_ns(t, &got), "M/s", 20);
	for (uint32_t i = 0; i < NAMES; i += 10)
		p4d_named_acquire(t, 0, name[i], &other, &token);
	bench_least("named-operations-1000-held", 3e3 / cycle_ns(t, &got), "M/s", 20);
	bench_row("named-claims-held", p4d_named_claims(t), "claims");
	p4d_named_destroy(t);
	return got < ROUNDS;
}
