/* SPDX-License-Identifier: GPL-2.0 */
/*
 * knobs.h - what can be tuned: net.homa.*, one set a network namespace.
 *
 * A line is a knob: name, unit, min, max, default, meaning. A value is read where it is used, so a
 * change works from the next packet or message on.
 */
#ifndef P4HOMA_KNOBS_H
#define P4HOMA_KNOBS_H

#include <linux/compiler.h>

struct homa_net;

#define HOMA_KNOBS(X) \
	X(max_gso_size, "bytes", 0, 65536, 65536, "of a buffer given to the device; 0: one packet") \
	X(defer_min_bytes, "bytes", 0, 1000000, 0, "left of a message that never waits to be sent") \
	X(fifo_grant_increment, "bytes", 0, 1000000, 0, "to the oldest at a time; 0: max_incoming/8") \
	X(grant_fifo_fraction, "per mille", 0, 500, 50, "of granted bytes, to the oldest message") \
	X(homa_share, "per cent", 1, 99, 50, "of a device, with others waiting in qdisc homa") \
	X(late_ms, "ms", 0, 600000, 30000, "packets may be under way; 0: no client is asked") \
	X(link_mbps, "Mbit/s", 0, 10000000, 0, "of devices that don't say; 0: not paced by speed") \
	X(max_incoming, "bytes", 0, 1 << 30, 0, "granted and not here, by device; 0: by its speed") \
	X(max_nic_est_backlog_usecs, "us", 1, 100000, 5, "of work a device may have by our reckoning") \
	X(max_nic_queue_usecs, "us", 1, 100000, 40, "of work a device may have by its own count") \
	X(max_overcommit, "number", 1, 8, 8, "messages granted at a time") \
	X(pacer_fifo_fraction, "per mille", 0, 500, 50, "of what waits, sent from the oldest message") \
	X(peer_net_max, "number", 16, 1000000, 10000, "peers remembered") \
	X(poll_usecs, "us", 0, 1000, 50, "a reader may spin before it sleeps; 0: never") \
	X(request_ack_ticks, "ms", 1, 10000, 2, "wait for an ack before asking for it") \
	X(resend_interval, "ms", 1, 10000, 5, "between requests to send again, until then") \
	X(resend_min_us, "us", 50, 1000000, 500, "shortest silence before the first of them") \
	X(resend_ticks, "ms", 1, 10000, 5, "the longest, and until the peer's times are known") \
	X(rmem_max, "bytes", 1000000, 1 << 30, 100000000, "held of what a new socket receives") \
	X(seen_max, "bytes", 0, 1 << 30, 1 << 26, "to remember what was finished out of order") \
	X(timeout_ticks, "ms", 10, 600000, 1000, "silence that ends an RPC") \
	X(tso, "flag", 0, 1, 0, "let devices cut buffers as if they were TCP's") \
	X(txn_resend_us, "us", 100, 10000000, 10000, "the same of a transaction, unless its switch is late") \
	X(txn_timeout_us, "us", 1000, 60000000, 2000000, "silence that ends a transaction") \
	X(unsched_bytes, "bytes", 0, 1000000, 40000, "of a message, sent without a grant") \
	X(window, "bytes", 0, 1 << 30, 0, "granted ahead to a message; 0: dynamic") \
	X(wmem_max, "bytes", 1000000, 0x7fffffff, 100000000, "held for what a socket sends")

/* Of cutoffs.c: a line has how many numbers there are after its name. */
#define HOMA_KNOBS_PRIORITY(X) \
	X(cutoff_version, 1, "number", 0, 65535, 1, "of unsched_cutoffs (read only)") \
	X(max_sched_prio, 1, "level", 0, 7, 3, "highest for granted bytes (read only)") \
	X(num_priorities, 1, "levels", 1, 8, 8, "levels that peers may use to send to us") \
	X(priority_map, 8, "class", 0, 7, 0, "IP class of each level; default: its own number") \
	X(unsched_cutoffs, 8, "bytes", 0, 0x7fffffff, 0, \
	  "longest message sent unasked at each level; all 0: computed")

#define X(name, unit, min, max, def, help) int name;
struct homa_knobs { HOMA_KNOBS(X) };
#undef X

/* homa_knob(hn, resend_ticks) */
#define homa_knob(hn, name)	READ_ONCE((hn)->knobs.name)

int homa_knobs_net_init(struct homa_net *hn);
void homa_knobs_net_exit(struct homa_net *hn);

#endif /* P4HOMA_KNOBS_H */
