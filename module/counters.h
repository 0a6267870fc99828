/* SPDX-License-Identifier: GPL-2.0 */
/*
 * counters.h - what this host counts, each counter written once.
 *
 * A counter belongs to one network namespace and is kept per CPU, so counting takes no lock and
 * works in every context. A reader sums over all CPUs; sums of different counters are not taken at
 * the same instant.
 */
#ifndef P4HOMA_COUNTERS_H
#define P4HOMA_COUNTERS_H

#include <linux/percpu.h>
#include <linux/types.h>
#include <p4wire.h>

struct homa_net;
struct seq_file;

/* Why a packet is dropped. */
#define HOMA_DROPS(X) \
	X(short_packets,			"packets too short for their type") \
	X(unknown_packet_types,			"packets of an unknown type") \
	X(unknown_rpcs,				"packets for RPCs that are not there") \
	X(server_cant_create_rpcs,		"requests for which an RPC could not be made") \
	X(dropped_data_no_bufs,			"DATA of messages that wait for receive buffer") \
	X(drop_range,				"packets with a length, offset or count out of range") \
	X(drop_mismatch,			"DATA that contradicts earlier DATA of its message") \
	X(drop_address,				"IPv6 packets with an address that no host has") \
	X(drop_no_socket,			"packets to a port that nobody has") \
	X(drop_not_server,			"requests to a socket that takes none") \
	X(drop_repeated,			"late packets of requests that were finished") \
	X(drop_no_memory,			"packets dropped for want of kernel memory") \
	X(drop_rmem,				"DATA beyond the receive memory of its socket") \
	X(drop_freeze,				"FREEZE packets") \
	X(drop_txn_request,			"switch transactions that reached a host") \
	X(drop_foreign_tenant,			"replies to transactions of another tenant") \
	X(txn_unmatched,			"replies to no outstanding switch transaction")

/* Names of HomaModule where they mean the same. The kinds of packets are in the order of their types,
 * see homa_count_type().
 */
#define HOMA_COUNTERS(X) \
	X(packets_sent_DATA,			"DATA packets sent, retransmitted ones too") \
	X(packets_sent_GRANT,			"GRANT packets sent") \
	X(packets_sent_RESEND,			"RESEND packets sent") \
	X(packets_sent_RPC_UNKNOWN,		"RPC_UNKNOWN packets sent") \
	X(packets_sent_BUSY,			"BUSY packets sent") \
	X(packets_sent_CUTOFFS,			"CUTOFFS packets sent") \
	X(packets_sent_FREEZE,			"FREEZE packets sent") \
	X(packets_sent_NEED_ACK,		"NEED_ACK packets sent") \
	X(packets_sent_ACK,			"ACK packets sent") \
	X(packets_rcvd_DATA,			"well-formed DATA packets that came") \
	X(packets_rcvd_GRANT,			"well-formed GRANT packets that came") \
	X(packets_rcvd_RESEND,			"well-formed RESEND packets that came") \
	X(packets_rcvd_RPC_UNKNOWN,		"well-formed RPC_UNKNOWN packets that came") \
	X(packets_rcvd_BUSY,			"well-formed BUSY packets that came") \
	X(packets_rcvd_CUTOFFS,			"well-formed CUTOFFS packets that came") \
	X(packets_rcvd_FREEZE,			"well-formed FREEZE packets that came") \
	X(packets_rcvd_NEED_ACK,		"well-formed NEED_ACK packets that came") \
	X(packets_rcvd_ACK,			"well-formed ACK packets that came") \
	X(priority0_bytes,			"message bytes sent at priority 0") \
	X(priority0_packets,			"DATA packets sent at priority 0") \
	X(priority1_bytes,			"message bytes sent at priority 1") \
	X(priority1_packets,			"DATA packets sent at priority 1") \
	X(priority2_bytes,			"message bytes sent at priority 2") \
	X(priority2_packets,			"DATA packets sent at priority 2") \
	X(priority3_bytes,			"message bytes sent at priority 3") \
	X(priority3_packets,			"DATA packets sent at priority 3") \
	X(priority4_bytes,			"message bytes sent at priority 4") \
	X(priority4_packets,			"DATA packets sent at priority 4") \
	X(priority5_bytes,			"message bytes sent at priority 5") \
	X(priority5_packets,			"DATA packets sent at priority 5") \
	X(priority6_bytes,			"message bytes sent at priority 6") \
	X(priority6_packets,			"DATA packets sent at priority 6") \
	X(priority7_bytes,			"message bytes sent at priority 7") \
	X(priority7_packets,			"DATA packets sent at priority 7") \
	X(client_requests_started,		"requests sent by programs") \
	X(client_request_bytes_started,		"bytes of them") \
	X(client_responses_done,		"responses given to programs") \
	X(client_response_bytes_done,		"bytes of them") \
	X(client_failed,			"requests that ended with an error") \
	X(server_requests_started,		"requests whose first packet has come") \
	X(doubtful_requests,			"of them, those whose client was asked if it waits") \
	X(server_requests_done,			"requests given to programs") \
	X(server_request_bytes_done,		"bytes of them") \
	X(server_responses_started,		"responses sent by programs") \
	X(server_response_bytes_started,	"bytes of them") \
	X(server_responses_done,		"responses acknowledged") \
	X(server_rpc_discards,			"server RPCs given up without acknowledgment") \
	X(server_rpcs_unknown,			"of them, those that the client said it does not know") \
	X(server_late_replies,			"responses to RPCs that were gone") \
	X(rpc_timeouts,				"RPCs given up because the peer was silent") \
	X(resent_packets,			"DATA packets sent because they were asked for") \
	X(resent_packets_used,			"such packets that came and had new bytes") \
	X(resent_discards,			"such packets that came and had none") \
	X(bundled_packets,			"DATA packets that left behind another in its buffer") \
	X(packet_discards,			"DATA packets with no new byte") \
	X(ack_overflows,			"ACK packets sent because too many acks were owed") \
	X(buffer_alloc_failures,		"messages that found no room to be received") \
	X(fifo_grants,				"GRANTs to the oldest message, out of turn") \
	X(pacer_waits,				"times that a message waited for a device") \
	X(wmem_waits,				"sendmsg calls that found the send buffer full") \
	X(peer_allocs,				"peers met") \
	X(peers_died,				"peers whose RPCs failed because they were silent") \
	X(peers_evicted,			"idle peers forgotten to make room") \
	X(peer_route_errors,			"packets for which there was no route") \
	X(data_xmit_errors,			"DATA packets that could not be made or queued") \
	X(control_xmit_errors,			"control packets that could not be made or queued") \
	X(icmp_errors,				"ICMP errors that named a live RPC") \
	HOMA_DROPS(X) \
	X(txn_sent,				"switch transactions started") \
	X(txn_resent,				"switch transactions retransmitted") \
	X(txn_ok,				"switch transactions committed") \
	X(txn_stale,				"switch transactions refused: block or flow not ours") \
	X(txn_conflict,				"switch transactions given up at lock bits") \
	X(txn_abort,				"switch transactions that a CADD aborted") \
	X(txn_timeout,				"switch transactions without a reply") \
	X(txn_in_doubt,				"switch transactions refused when repeated: done before or not")

#define X(name, help) HOMA_##name,
enum homa_counter { HOMA_COUNTERS(X) HOMA_NR_COUNTERS };
#undef X

/* Bytes of messages that came, by length: steps of 64 up to 4096, of 1024 up to 131072. */
#define HOMA_MSG_SMALL		64
#define HOMA_MSG_MEDIUM		124

struct homa_counters {
	u64 value[HOMA_NR_COUNTERS];
	u64 msg_bytes[HOMA_MSG_SMALL + HOMA_MSG_MEDIUM];
	u64 large_msg_count;
	u64 large_msg_bytes;
};

/* homa_count(hn, peer_allocs): any context */
#define homa_count(hn, name)		homa_count_nr(hn, HOMA_##name, 1)
#define homa_count_add(hn, name, n)	homa_count_nr(hn, HOMA_##name, n)
#define homa_count_nr(hn, nr, n)	this_cpu_add((hn)->counters->value[nr], n)
/* homa_count_type(hn, packets_sent_DATA, type) */
#define homa_count_type(hn, first, type) \
	homa_count_nr(hn, HOMA_##first + (type) - P4W_DATA, 1)
#define homa_count_priority(hn, prio, bytes) do { \
	homa_count_nr(hn, HOMA_priority0_bytes + 2 * (prio), bytes); \
	homa_count_nr(hn, HOMA_priority0_packets + 2 * (prio), 1); \
} while (0)

/* A message of that many bytes is here. */
#define homa_count_message(hn, bytes) do { \
	if ((bytes) <= HOMA_MSG_SMALL * 64) { \
		this_cpu_add((hn)->counters->msg_bytes[((bytes) - 1) / 64], bytes); \
	} else if ((bytes) <= 131072) { \
		this_cpu_add((hn)->counters->msg_bytes[HOMA_MSG_SMALL - 4 + \
						       ((bytes) - 1) / 1024], bytes); \
	} else { \
		this_cpu_inc((hn)->counters->large_msg_count); \
		this_cpu_add((hn)->counters->large_msg_bytes, bytes); \
	} \
} while (0)

int homa_counters_nr(void);
const char *homa_counter_name(int i);
const char *homa_counter_help(int i);
u64 homa_counter_sum(const struct homa_net *hn, int i);

int homa_counters_net_init(struct homa_net *hn);
void homa_counters_net_exit(struct homa_net *hn);

#endif /* P4HOMA_COUNTERS_H */
