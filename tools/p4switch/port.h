/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port.h - the ports that a program sees, and what is behind each. A program always has PORTS of
 * them, fixed at build; what is wired to a host port is this file's business alone.
 *
 * Everything runs in the worker's thread.
 */
#ifndef P4SWITCH_PORT_H
#define P4SWITCH_PORT_H

#include <stdbool.h>
#include <stdint.h>

#define PORTS		16	/* the pipeline wants a power of two; p4src/p4db.p4 knows it too */
#define PORT_HOSTS	14	/* 0 .. PORT_HOSTS - 1: hosts */
#define PORT_LOOPBACK	14	/* comes in again, behind all that wait there; never drops */
#define PORT_FLOOD	15	/* output: to all hosts but the one it came from; input: never */
#define PORT_NAME	16	/* bytes of a name, with the NUL */

struct rte_mempool;
struct rte_swx_pipeline;
struct l2;

struct port_stats {
	uint64_t rx, tx, drop;
};

/* Who may put packets into the pipeline; the others wait where they are. */
enum port_gate {
	GATE_OPEN,
	GATE_LOOPBACK,		/* the loopback port only: what is under way comes to its end */
	GATE_CLOSED,
};

int  port_init(struct rte_mempool *pool, unsigned int loopback_size, struct l2 *l2, char *err,
	       unsigned int err_size);
/* `qdisc`: what it sends goes through the queueing discipline of the interface, not past it. */
int  port_add_host(const char *interface, bool qdisc, char *err, unsigned int err_size);
int  port_config(struct rte_swx_pipeline *p);
void port_uninit(void);

void port_gate(enum port_gate gate);
uint64_t port_received(void);		/* packets taken from hosts and loopback so far */
bool port_pending(void);		/* packets taken from a device wait for the pipeline */
uint64_t port_sent(void);		/* packets that the pipeline gave to a port so far */
unsigned int port_waiting(void);	/* on the loopback port */
const char *port_name(unsigned int port);	/* NULL: nothing is wired to it */
void port_stats(unsigned int port, struct port_stats *stats);

#endif
