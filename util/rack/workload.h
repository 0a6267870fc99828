/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * workload.h - the message sizes of five real services, and what they cost on a wire.
 *
 * W1 to W5 are the workloads of Montazeri, Li, Alizadeh, Ousterhout: "Homa: A Receiver-Driven
 * Low-Latency Transport Protocol Using Network Priorities", SIGCOMM 2018, figure 1: W1 memcached
 * at Facebook, W2 a search application at Google, W3 all applications of a Google datacenter,
 * W4 a Hadoop cluster at Facebook, W5 web search with DCTCP.
 */
#ifndef RACK_WORKLOAD_H
#define RACK_WORKLOAD_H

#include <stdint.h>

#define WORKLOAD_DECILES	10
#define RESPONSE_BYTES		8
#define SEGMENT			1424	/* message bytes of a packet: 1500 - 20 (IP) - 56 (Homa) */

struct workload;

const struct workload *workload_find(const char *name);

/* The size at 0 <= u < 1 of the cumulative distribution, between its points linearly. */
uint32_t workload_bytes(const struct workload *w, double u);

/* Mean of the message, and of what it occupies on the wire (see wire_bytes). */
double workload_mean(const struct workload *w);
double workload_mean_wire(const struct workload *w);

/*
 * What a message occupies of a wire, in Homa's packets: with their headers, and checksum, preamble
 * and gap of Ethernet. TCP's are 24 bytes shorter; the same messages are a little less load for it.
 */
double wire_bytes(uint32_t message);

#endif /* RACK_WORKLOAD_H */
