/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crowd.h - claims on one lock, when they are more than a single exclusive hold: who holds it, who
 * waits. What named.c is made of; nobody else includes it.
 *
 * Crowds and claims lie in pools and are named by their index, 0 being nobody. Claims that something
 * happens to at some time - waiters, and holders of a lock that others wait for - are in a heap, by
 * that time.
 */
#ifndef P4D_CROWD_H
#define P4D_CROWD_H

#include "named.h"

struct p4d_crowd {
	uint32_t entry;		/* named.c's */
	uint32_t holders;	/* list */
	uint32_t first, last;	/* waiters */
	uint32_t nr_holders, nr_waiters;
};

struct p4d_claim {
	uint64_t owner;
	uint64_t token;		/* 0: waits, or nobody's hold in the grace */
	uint64_t until;		/* end of the lease, or of the patience */
	uint64_t ticket;
	uint32_t crowd;
	uint32_t next;		/* holder, waiter, or free one */
	uint32_t lease_us;
	uint32_t heap;		/* place in it + 1; 0: not in it */
	uint8_t mode;
	bool waits;
};

struct p4d_crowds {
	uint64_t grace;		/* these three: see named.h */
	uint64_t first_token;
	uint64_t *next_token;
	struct p4d_crowd *crowd;
	uint32_t crowd_top, crowd_room, free_crowd;	/* top: ever used */
	struct p4d_claim *claim;
	uint32_t claim_top, claim_room, claims, free_claim;
	uint32_t *heap, heaped;
	struct p4d_named_event *event;
	uint32_t events, event_room, popped;
};

void p4d_crowds_init(struct p4d_crowds *t);
void p4d_crowds_uninit(struct p4d_crowds *t);

/* A new one, with a hold (token 0: without). */
uint32_t p4d_crowd_make(struct p4d_crowds *t, uint32_t entry, uint64_t owner, uint64_t token,
			uint64_t until);

/* Does the owner hold it, or wait for it? */
bool p4d_crowd_has(const struct p4d_crowds *t, uint32_t crowd, uint64_t owner);

/* True: nobody holds or waits any more, and the crowd is gone. */
bool p4d_crowd_drop_if_empty(struct p4d_crowds *t, uint32_t crowd);

/* As the functions of these names in named.h. */
enum p4d_named_result p4d_crowd_acquire(struct p4d_crowds *t, uint32_t crowd, uint64_t now,
					const struct p4d_claim_of *who, uint64_t *token);
bool p4d_crowd_release(struct p4d_crowds *t, uint32_t crowd, uint64_t now, uint64_t owner,
		       uint64_t token);
bool p4d_crowd_claim(struct p4d_crowds *t, uint32_t crowd, uint64_t now, uint64_t owner,
		     uint64_t token, uint64_t until);
uint64_t p4d_crowd_check(const struct p4d_crowds *t, uint32_t crowd, uint64_t now);

/* Holders whose leases have ended go, and the lock goes to those at the head of the queue. */
void p4d_crowd_serve(struct p4d_crowds *t, uint32_t crowd, uint64_t now);

/* Something that is due: its crowd, which may be empty then; 0: nothing is. */
uint32_t p4d_crowds_tick(struct p4d_crowds *t, uint64_t now);

/* As p4d_named_end_grace(). */
void p4d_crowds_end_grace(struct p4d_crowds *t, uint64_t grace);

/* All its waiters are told that their time is over. */
void p4d_crowd_dismiss(struct p4d_crowds *t, uint32_t crowd);

#endif /* P4D_CROWD_H */
