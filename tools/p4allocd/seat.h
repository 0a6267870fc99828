/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seat.h - the allocator's place at a switch, which several p4allocd share by etcd.
 *
 * Puts etcd, election, store, common configuration and address together. Who has no seat does
 * nothing: no socket, no word to the switch. Who loses it, ends.
 */
#ifndef P4D_SEAT_H
#define P4D_SEAT_H

#include "config.h"
#include "store.h"

#define P4D_SEAT_SCHEME "etcd://"

struct p4d_loop;
struct p4d_seat;

struct p4d_seat_conf {
	const char *place;		/* etcd://HOST:PORT[,HOST:PORT...]/PREFIX */
	const char *name;		/* of the switch */
	const char *address;		/* see address.h; NULL: none */
	uint32_t lease_s;
	void (*won)(void *arg);
	void (*lost)(void *arg, const char *why);	/* having won */
	void *arg;
};

/* Stands for election from now on, from the loop. 0, or -errno and err. */
int p4d_seat_open(struct p4d_seat **out, struct p4d_loop *loop, const struct p4d_seat_conf *conf,
		  char *err, size_t size);
/* Gives it up. The store must be closed. */
void p4d_seat_close(struct p4d_seat *s);

bool p4d_seat_is_ours(const struct p4d_seat *s);
uint64_t p4d_seat_term(const struct p4d_seat *s);	/* ascending from owner to owner */

/* For p4d_store_of(), with p4d_store_etcd_ops. NULL: no memory. */
void *p4d_seat_store(struct p4d_seat *s);
int p4d_seat_config(struct p4d_seat *s, struct p4d_config **out,
		    const struct p4d_config_events *events, char *err, size_t size);

#endif /* P4D_SEAT_H */
