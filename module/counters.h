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

struct homa_net;
struct seq_file;

#define HOMA_COUNTERS(X) \
	X(tx_data,		"DATA packets sent, retransmitted ones too") \
	X(tx_data_again,	"DATA packets retransmitted") \
	X(tx_control,		"control packets sent") \
	X(tx_error,		"packets that could not be built, routed or queued") \
	X(rx_data,		"DATA packets accepted") \
	X(rx_data_again,	"DATA packets with no new byte") \
	X(rx_grant,		"GRANT packets for a known RPC") \
	X(rx_resend,		"RESEND packets for a known RPC") \
	X(rx_unknown,		"RPC_UNKNOWN packets for a known RPC") \
	X(rx_busy,		"BUSY packets for a known RPC") \
	X(rx_need_ack,		"NEED_ACK packets") \
	X(rx_ack,		"ACK packets") \
	X(rx_cutoffs,		"CUTOFFS packets taken") \
	X(rx_icmp,		"ICMP errors that named a live RPC") \
	X(tx_grant,		"GRANT packets sent") \
	X(fifo_grants,		"GRANTs to the oldest message, out of turn") \
	X(tx_cutoffs,		"CUTOFFS packets sent") \
	X(tx_resend,		"RESEND packets sent") \
	X(tx_unknown,		"RPC_UNKNOWN packets sent") \
	X(tx_busy,		"BUSY packets sent") \
	X(tx_need_ack,		"NEED_ACK packets sent") \
	X(tx_ack,		"ACK packets sent") \
	X(client_rpcs,		"requests sent by programs") \
	X(client_done,		"responses given to programs") \
	X(client_failed,	"requests that ended with an error") \
	X(server_rpcs,		"requests whose first packet has come") \
	X(server_handed,	"requests given to programs") \
	X(server_replies,	"responses sent by programs") \
	X(server_acked,		"responses acknowledged") \
	X(server_discards,	"server RPCs given up without acknowledgment") \
	X(server_late_replies,	"responses to RPCs that were gone") \
	X(rpc_timeouts,		"RPCs given up because the peer was silent") \
	X(tx_msg_bytes,		"bytes of messages handed in by programs") \
	X(rx_msg_bytes,		"bytes of messages given to programs") \
	X(pool_waits,		"messages that found the receive buffer full") \
	X(pacer_waits,		"times that a message waited for a device") \
	X(wmem_waits,		"sendmsg calls that found the send buffer full") \
	X(peers_made,		"peers met") \
	X(peers_died,		"peers whose RPCs failed because they were silent") \
	X(peers_evicted,	"idle peers forgotten to make room") \
	X(drop_short,		"packets too short for their type") \
	X(drop_type,		"packets of an unknown type") \
	X(drop_range,		"packets with a length, offset or count out of range") \
	X(drop_mismatch,	"DATA that contradicts earlier DATA of its message") \
	X(drop_no_socket,	"packets to a port that nobody has") \
	X(drop_not_server,	"requests to a socket that takes none") \
	X(drop_unknown_rpc,	"packets for RPCs that are not there") \
	X(drop_repeated,	"late packets of requests that were finished") \
	X(drop_no_buffer,	"DATA of messages that wait for receive buffer") \
	X(drop_no_memory,	"packets dropped for want of kernel memory") \
	X(drop_freeze,		"FREEZE packets") \
	X(drop_txn_request,	"switch transactions that reached a host") \
	X(drop_foreign_tenant,	"replies to transactions of another tenant") \
	X(txn_sent,		"switch transactions started") \
	X(txn_resent,		"switch transactions retransmitted") \
	X(txn_ok,		"switch transactions committed") \
	X(txn_stale,		"switch transactions refused: block or flow not ours") \
	X(txn_conflict,		"switch transactions given up at lock bits") \
	X(txn_abort,		"switch transactions that a CADD aborted") \
	X(txn_timeout,		"switch transactions without a reply") \
	X(txn_unmatched,	"replies to no outstanding switch transaction")

#define X(name, help) HOMA_##name,
enum homa_counter { HOMA_COUNTERS(X) HOMA_NR_COUNTERS };
#undef X

struct homa_counters {
	u64 value[HOMA_NR_COUNTERS];
};

/* homa_count(hn, rx_data): any context */
#define homa_count(hn, name)		homa_count_nr(hn, HOMA_##name, 1)
#define homa_count_add(hn, name, n)	homa_count_nr(hn, HOMA_##name, n)
#define homa_count_nr(hn, nr, n)	this_cpu_add((hn)->counters->value[nr], n)

int homa_counters_nr(void);
const char *homa_counter_name(int i);
const char *homa_counter_help(int i);
u64 homa_counter_sum(const struct homa_net *hn, int i);

int homa_counters_net_init(struct homa_net *hn);
void homa_counters_net_exit(struct homa_net *hn);

#endif /* P4HOMA_COUNTERS_H */
