/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * named.h - named locks of one tenant: who holds them, until when, and who waits, first come first
 * served. Pure: time and tokens come in, answers to those who waited come out by p4d_named_pop().
 *
 * A claim is an owner's hold on a lock or its place in the queue. Shared holders share, but nobody
 * overtakes a waiter. A lease that has ended is taken back when somebody else wants the lock, not
 * before; so a lock that nobody else wants needs no timer. A lock without claims takes no memory.
 *
 * An owner has one hold. The last P4D_OVER owners that have given theirs back (fewer, where two have the
 * same low bits) are remembered, and what asks on their behalf after that is late: it takes nothing.
 *
 * After a restart nobody knows who held what. Until `grace` a name that is new to the table counts as
 * held, except for an owner that shows the token of its hold, one below `first`. Where two do, the
 * higher one was given later, and counts.
 */
#ifndef P4D_NAMED_H
#define P4D_NAMED_H

#include <stdbool.h>
#include <stdint.h>

#include "p4wire.h"

#define P4D_CLAIMS_MAX 16384	/* of a tenant */
#define P4D_QUEUE_MAX 1024	/* holders, and waiters, of one lock */
#define P4D_OVER 8192		/* of a tenant */

struct p4d_name {
	uint64_t word[P4W_LOCK_NAME_BYTES / 8];
};

struct p4d_claim_of {		/* who asks */
	uint64_t owner;
	uint64_t token;		/* of a hold from before a restart; 0: none */
	uint32_t lease_us;
	uint32_t wait_us;	/* 0: now or not at all */
	uint64_t ticket;	/* by which it is popped, if it has to wait */
	uint8_t mode;		/* enum p4w_lock_mode */
	bool at_once;		/* never P4D_NAMED_WAITS, not even for who waits already */
};

enum p4d_named_result {
	P4D_NAMED_HELD,		/* *token is of the hold, also if it was held before */
	P4D_NAMED_WAITS,	/* will be popped */
	P4D_NAMED_BUSY,		/* somebody else has it */
	P4D_NAMED_LOST,		/* the token's hold is over */
	P4D_NAMED_OVER,		/* the owner has given it back: this came late */
	P4D_NAMED_MODE,		/* the owner has it, or waits for it, in the other mode */
	P4D_NAMED_FULL,		/* too many claims */
};

struct p4d_named_event {
	uint64_t ticket;
	uint64_t token;		/* granted; 0: wait_us are over, or its place was taken by `again` */
	uint32_t lease_us;
	bool again;		/* the same owner has asked once more */
};

struct p4d_named;

/*
 * seed: random, against names that are chosen to collide. *next_token: the next new one, shared by all
 * tables, increased with each; one call may draw P4D_CLAIMS_MAX of them.
 */
struct p4d_named *p4d_named_create(uint64_t seed, uint64_t grace, uint64_t first,
				   uint64_t *next_token);
void p4d_named_destroy(struct p4d_named *t);

/* Asks for a lock, or extends the lease of one that the owner holds. */
enum p4d_named_result p4d_named_acquire(struct p4d_named *t, uint64_t now,
					struct p4d_name name, const struct p4d_claim_of *who,
					uint64_t *token);

/*
 * Gives a hold back, whose token is not 0. False: it was over already. True also for the last one that
 * was given back, since its answer may have been lost.
 */
bool p4d_named_release(struct p4d_named *t, uint64_t now, struct p4d_name name,
		       uint64_t owner, uint64_t token);

/*
 * For names that are also held elsewhere. Nobody holds this one or waits for it: true of a name that
 * the table has not heard of, too, once the grace is over.
 */
bool p4d_named_is_free(const struct p4d_named *t, uint64_t now, struct p4d_name name);

/* An exclusive hold on a name that is free. owner 0: nobody's, which only p4d_named_claim() ends early. */
void p4d_named_adopt(struct p4d_named *t, uint64_t now, struct p4d_name name, uint64_t owner,
		     uint64_t token, uint64_t until);

/* Somebody shows the token of nobody's hold, or a later one than who did so before. False: it is over. */
bool p4d_named_claim(struct p4d_named *t, uint64_t now, struct p4d_name name, uint64_t owner,
		     uint64_t token, uint64_t until);

/* Token of a hold on the lock (the last one, if shared) whose lease has not ended, or 0. */
uint64_t p4d_named_check(const struct p4d_named *t, uint64_t now, struct p4d_name name);

/* Time has come; at or after p4d_named_deadline() (UINT64_MAX: never). */
void p4d_named_tick(struct p4d_named *t, uint64_t now);
uint64_t p4d_named_deadline(const struct p4d_named *t);

/* It was UINT64_MAX until now, as nobody knew when it would end. */
void p4d_named_end_grace(struct p4d_named *t, uint64_t grace);

/* What has become of a claim that waited; false: nothing new. */
bool p4d_named_pop(struct p4d_named *t, struct p4d_named_event *ev);

/* Every waiter is popped, as if its time were over. */
void p4d_named_dismiss(struct p4d_named *t);

uint32_t p4d_named_claims(const struct p4d_named *t);

#endif /* P4D_NAMED_H */
