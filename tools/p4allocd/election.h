/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * election.h - one of several p4allocd is the allocator of a switch; the others stand by.
 *
 * The key PREFIX/leader is bound to a lease of etcd that its owner keeps alive; who makes the key
 * has won, and its create revision is the term. A transaction that compares it with the term can't be
 * carried out for anybody else. Between those, p4d_election_holds() says by this host's own clock
 * whether the lease can still be alive: it counts from when the last renewal was asked for, less a
 * tenth for clocks that differ.
 */
#ifndef P4D_ELECTION_H
#define P4D_ELECTION_H

#include <stdbool.h>
#include <stdint.h>

struct p4d_election;
struct p4d_etcd;
struct p4d_loop;

struct p4d_election_events {
	void *arg;
	void (*won)(void *arg);
	void (*lost)(void *arg, const char *why);	/* having won; once */
	void (*renewed)(void *arg, uint32_t seconds);	/* it can't be lost before; also with won */
	void (*waiting)(void *arg, const char *why);	/* whenever the reason changes */
};

/* Takes part at once. ttl_s: of the lease. NULL: no memory. prefix ends with `/` and must stay. */
struct p4d_election *p4d_election_create(struct p4d_loop *loop, struct p4d_etcd *etcd,
					 const char *prefix, uint32_t ttl_s,
					 const struct p4d_election_events *events);
/* Who has won gives it up, so that another one need not wait for the end of the lease. */
void p4d_election_destroy(struct p4d_election *el);

bool p4d_election_holds(const struct p4d_election *el);
uint64_t p4d_election_term(const struct p4d_election *el);	/* 0: not won, or lost */
/* Somebody saw that the key is another one's. */
void p4d_election_was_lost(struct p4d_election *el, const char *why);

#endif /* P4D_ELECTION_H */
