/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One switch transaction, in the steps of doc/switch.md. The same on every architecture: takes
 * m.in_port, leaves m.outcome, m.out_port and the packet as it is to be sent.
 *
 * Nothing in here applies a table or leaves the pipeline, so on a target that interleaves packets
 * at such points each packet runs through without another one in between.
 */
#define INSTR CAT(h.instr, K)

control Transaction(inout headers_t h, inout metadata_t m) {
	action look_up_flow() {
		m.entry = flow_state.read(h.txn.flow);
		m.entry_seq = (bit<32>)m.entry;
		m.entry_state = (bit<8>)(m.entry >> 32);
		m.entry_tenant = m.entry >> 40;
	}
	action flow_entry() {
		m.entry = m.tenant << 8;
		m.entry = m.entry | (bit<64>)m.state;
		m.entry = m.entry << 32;
		m.entry = m.entry | (bit<64>)h.txn.seq;
		flow_state.write(h.txn.flow, m.entry);
	}
	action commit() {
		h.txn.serial = serial.read((bit<32>)h.txn.home);
		m.serial = h.txn.serial + 1;
		serial.write((bit<32>)h.txn.home, m.serial);
	}
	action acquire() {
		m.lock = m.lock | h.txn.lock_acquire;
		lock.write((bit<32>)h.txn.home, m.lock);
		h.txn.pass = PASS_SECOND;
		m.outcome = TXN_SECOND;
	}
	action release() {
		m.lock = lock.read((bit<32>)h.txn.home);
		m.mask = h.txn.lock_acquire ^ 0xffffffff;
		m.lock = m.lock & m.mask;
		lock.write((bit<32>)h.txn.home, m.lock);
	}
	action reply() {
		h.txn.version = WIRE_VERSION;
		h.txn.pass = PASS_FIRST;
		h.txn.port = 0;
		h.txn.sum = 0;
		h.common.type = TYPE_TXN_REPLY;
		h.common.sender_id = h.common.sender_id ^ 1;
		m.homa_port = h.common.sport;
		h.common.sport = h.common.dport;
		h.common.dport = m.homa_port;
		m.address = h.ipv4.src;
		h.ipv4.src = h.ipv4.dst;
		h.ipv4.dst = m.address;
		m.mac = h.ethernet.src;
		h.ethernet.src = h.ethernet.dst;
		h.ethernet.dst = m.mac;
	}

	apply {
		m.outcome = TXN_OK;
		m.pass = 0;
		m.record = 0;
		m.tenant = h.txn.owner >> 40;
		if (m.in_port == LOOPBACK_PORT) {
			m.out_port = (bit<32>)h.txn.port;
			m.record = 1;
			if (h.txn.pass == PASS_SECOND) {
				m.pass = OP_SECOND_PASS;
			}
		} else {
			m.out_port = m.in_port;
			h.txn.port = (bit<16>)m.in_port;
			h.txn.pass = PASS_FIRST;
			h.txn.retries = 0;
			h.txn.sum = 0;
			h.txn.serial = 0;
			m.early = 0;
			m.late_source = 0;
#define PHASE "place_check.p4"
#include "each_place.p4"
			if (m.early == 1 && m.late_source == 1) {
				m.outcome = TXN_MALFORMED;
			}
			if (h.txn.version != WIRE_VERSION) {
				m.outcome = TXN_VERSION;
			}
			if (m.outcome == TXN_OK) {
				look_up_flow();
				m.record = 1;
				if (h.txn.seq <= m.entry_seq) {
					m.record = 0;
					m.outcome = TXN_DROPPED;
				}
				if (m.entry_state == FLOW_BUSY) {
					m.record = 0;
					m.outcome = TXN_DROPPED;
				}
				if (h.txn.seq == m.entry_seq && m.entry_state >= FLOW_DONE) {
					m.outcome = TXN_REPLAY;
				}
				/* whose entry it is comes before all else; nobody is tenant 0 */
				if (m.entry_tenant != m.tenant) {
					m.outcome = TXN_STALE;
				}
				if (m.tenant == 0) {
					m.outcome = TXN_STALE;
				}
				if (h.txn.flow >= FLOWS) {
					m.outcome = TXN_STALE;
				}
			}
		}

		if (m.outcome == TXN_OK) {
			if (m.pass == 0) {
				m.owner = owner.read((bit<32>)h.txn.home);
				if (m.owner != h.txn.owner) {
					m.outcome = TXN_STALE;
				}
				if (h.txn.home >= BLOCKS) {
					m.outcome = TXN_STALE;
				}
#define PHASE "place_owner.p4"
#include "each_place.p4"
				if (m.outcome == TXN_OK) {
					m.lock = lock.read((bit<32>)h.txn.home);
					m.mask = m.lock & h.txn.lock_check;
					if (m.mask != 0) {
						h.txn.pass = PASS_RETRY;
						h.txn.retries = h.txn.retries + 1;
						if (h.txn.retries >= RETRIES_MAX) {
							m.outcome = TXN_CONFLICT;
						} else {
							m.outcome = TXN_RETRY;
						}
					}
				}
			} else {
#define PHASE "place_second.p4"
#include "each_place.p4"
			}
		}

		if (m.outcome == TXN_OK) {
#define PHASE "place_read.p4"
#include "each_place.p4"
			if (m.outcome == TXN_OK) {
#define PHASE "place_write.p4"
#include "each_place.p4"
				if (m.pass == 0) {
					commit();
					if (h.txn.lock_acquire != 0) {
						acquire();
					}
				} else {
					release();
				}
			}
		}

		if (m.outcome >= TXN_RETRY) {
			m.out_port = LOOPBACK_PORT;
			m.state = FLOW_BUSY;
			flow_entry();
		} else {
			/* a sender whose grant is over has lost nothing by asking */
			if (m.outcome == TXN_STALE && m.in_port != LOOPBACK_PORT) {
				m.record = 0;
				/* since when the entry knows of all that was done on the flow */
				if (m.entry_tenant == m.tenant && h.txn.flow <= FLOWS - 1) {
					h.txn.serial = flow_serial.read(h.txn.flow);
				}
			}
			h.txn.status = (bit<8>)m.outcome;
			if (m.outcome == TXN_REPLAY) {
				h.txn.status = m.entry_state & 0x7f;
				h.txn.serial = flow_serial.read(h.txn.flow);
#define PHASE "place_replay.p4"
#include "each_place.p4"
			}
			if (m.record == 1) {
				m.state = h.txn.status | FLOW_DONE;
				flow_entry();
				flow_serial.write(h.txn.flow, h.txn.serial);
#define PHASE "place_record.p4"
#include "each_place.p4"
			}
			reply();
		}
	}
}
