/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packets: Ethernet, IPv4 without options, Homa's common header, one switch transaction.
 * Restates include/p4wire.h, names and order as there; test/unit/switch_p4.c compares the two.
 */
#define ETHERTYPE_IPV4 0x0800
#define IPPROTO_HOMA 146
#define TYPE_TXN 0x20
#define TYPE_TXN_REPLY 0x21
#define WIRE_VERSION 1

#define OP_NONE 0
#define OP_READ 1
#define OP_WRITE 2
#define OP_ADD 3
#define OP_CADD 4
#define OP_REFILL 5
#define OP_CHARGE 6
#define OPS_END 7
#define REFILL_BELOW 10
#define REFILL_BY 91
#define OP_SECOND_PASS 0x80
#define OP_SOURCE 0x40
#define OP_DEPENDENT 0x20
#define OP_CODE 0x1f

#define PASS_FIRST 0
#define PASS_RETRY 1
#define PASS_SECOND 2

#define RETRIES_MAX 8

#define FLOW_BUSY 0x01
#define FLOW_DONE 0x80

header ethernet_t {
	bit<48> dst;
	bit<48> src;
	bit<16> type;
}

header ipv4_t {
	bit<8> version_ihl;
	bit<8> tos;
	bit<16> total_length;
	bit<16> id;
	bit<16> fragment;
	bit<8> ttl;
	bit<8> protocol;
	bit<16> checksum;
	bit<32> src;
	bit<32> dst;
}

header common_t {
	bit<16> sport;
	bit<16> dport;
	bit<32> sequence;
	bit<24> ack;
	bit<8> type;
	bit<8> doff;
	bit<8> flags;
	bit<16> window;
	bit<16> checksum;
	bit<16> urgent;
	bit<64> sender_id;
}

header txn_t {
	bit<8> version;
	bit<8> status;
	bit<8> pass;
	bit<8> retries;
	bit<64> owner;
	bit<32> flow;
	bit<32> seq;
	bit<32> lock_check;
	bit<32> lock_acquire;
	bit<16> home;
	bit<16> port;
	bit<32> sum;
	bit<64> serial;
}

header instr_t {
	bit<8> reg;
	bit<8> op;
	bit<16> cell;
	bit<32> operand;
	bit<32> result;
}

struct headers_t {
	ethernet_t ethernet;
	ipv4_t ipv4;
	common_t common;
	txn_t txn;
	instr_t instr0;
	instr_t instr1;
	instr_t instr2;
	instr_t instr3;
	instr_t instr4;
	instr_t instr5;
	instr_t instr6;
	instr_t instr7;
}
