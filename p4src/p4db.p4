/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program for the Portable Switch Architecture, as p4c-dpdk compiles it for p4switch.
 * Transactions are taken out of the path, all else is forwarded by its destination address.
 *
 * p4switch gives a program 16 ports: hosts, a loopback port, and one that sends a packet to
 * all hosts but the one it came from.
 */
#include <core.p4>
#include <psa.p4>
#define LOOPBACK_PORT 14
#define FLOOD_PORT 15
#include "geometry.p4"
#include "each.p4"
#include "wire.p4"
#include "state.p4"
#include "txn.p4"

struct empty_t {}

parser SwitchIngressParser(packet_in pkt, out headers_t h, inout metadata_t m,
		in psa_ingress_parser_input_metadata_t istd, in empty_t resubmitted,
		in empty_t recirculated) {
	state start {
		pkt.extract(h.ethernet);
		transition select(h.ethernet.type) {
			ETHERTYPE_IPV4: ipv4;
			default: accept;
		}
	}
	/* with options or in fragments it is not a transaction */
	state ipv4 {
		pkt.extract(h.ipv4);
		transition select(h.ipv4.version_ihl) {
			0x45: unfragmented;
			default: accept;
		}
	}
	state unfragmented {
		transition select(h.ipv4.fragment) {
			0x0000: homa;
			0x4000: homa;
			default: accept;
		}
	}
	state homa {
		transition select(h.ipv4.protocol) {
			IPPROTO_HOMA: common;
			default: accept;
		}
	}
	state common {
		pkt.extract(h.common);
		transition select(h.common.type) {
			TYPE_TXN: txn;
			default: accept;
		}
	}
	state txn {
		pkt.extract(h.txn);
		pkt.extract(h.instr0);
		pkt.extract(h.instr1);
		pkt.extract(h.instr2);
		pkt.extract(h.instr3);
		pkt.extract(h.instr4);
		pkt.extract(h.instr5);
		pkt.extract(h.instr6);
		pkt.extract(h.instr7);
		transition accept;
	}
}

control SwitchIngress(inout headers_t h, inout metadata_t m, in psa_ingress_input_metadata_t istd,
		inout psa_ingress_output_metadata_t ostd) {
	Transaction() transaction;

	action forward(PortId_t port) {
		m.outcome = L2_FORWARD;
		send_to_port(ostd, port);
	}
	action flood() {
		m.outcome = L2_FLOOD;
		send_to_port(ostd, (PortId_t)FLOOD_PORT);
	}
	table l2 {
		key = { h.ethernet.dst: exact; }
		actions = { forward; flood; }
		default_action = flood;
		size = 1024;
	}

	apply {
		if (h.txn.isValid()) {
			m.in_port = (PortIdUint_t)istd.ingress_port;
			transaction.apply(h, m);
			if (m.outcome != TXN_DROPPED) {
				send_to_port(ostd, (PortId_t)m.out_port);
			}
		} else {
			l2.apply();
			if (ostd.egress_port == istd.ingress_port) {
				ingress_drop(ostd);
			}
		}
		outcome.count(m.outcome);
		/* a port that does not exist would be an access out of bounds */
		if ((PortIdUint_t)ostd.egress_port >= FLOOD_PORT + 1) {
			ingress_drop(ostd);
		}
	}
}

control SwitchIngressDeparser(packet_out pkt, out empty_t cloned, out empty_t resubmitted,
		out empty_t normal, inout headers_t h, in metadata_t m,
		in psa_ingress_output_metadata_t ostd) {
	apply {
		pkt.emit(h.ethernet);
		pkt.emit(h.ipv4);
		pkt.emit(h.common);
		pkt.emit(h.txn);
		pkt.emit(h.instr0);
		pkt.emit(h.instr1);
		pkt.emit(h.instr2);
		pkt.emit(h.instr3);
		pkt.emit(h.instr4);
		pkt.emit(h.instr5);
		pkt.emit(h.instr6);
		pkt.emit(h.instr7);
	}
}

/* The compiler ignores the egress half. */
parser SwitchEgressParser(packet_in pkt, out headers_t h, inout metadata_t m,
		in psa_egress_parser_input_metadata_t istd, in empty_t normal,
		in empty_t cloned_ingress, in empty_t cloned_egress) {
	state start {
		transition accept;
	}
}

control SwitchEgress(inout headers_t h, inout metadata_t m, in psa_egress_input_metadata_t istd,
		inout psa_egress_output_metadata_t ostd) {
	apply {}
}

control SwitchEgressDeparser(packet_out pkt, out empty_t cloned, out empty_t recirculated,
		inout headers_t h, in metadata_t m, in psa_egress_output_metadata_t ostd,
		in psa_egress_deparser_input_metadata_t dstd) {
	apply {}
}

IngressPipeline(SwitchIngressParser(), SwitchIngress(), SwitchIngressDeparser()) ingress;
EgressPipeline(SwitchEgressParser(), SwitchEgress(), SwitchEgressDeparser()) egress;
PSA_Switch(ingress, PacketReplicationEngine(), egress, BufferingQueueingEngine()) main;
