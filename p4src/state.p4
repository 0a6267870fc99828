/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the switch keeps between packets, and what it knows about the packet in hand.
 * Arrays are global so that the control plane finds them by these names.
 */
Register<bit<64>, bit<32>>(BLOCKS) owner;
Register<bit<32>, bit<32>>(BLOCKS) lock;
Register<bit<64>, bit<32>>(BLOCKS) serial;
Register<bit<64>, bit<32>>(FLOWS) flow_state;
Register<bit<64>, bit<32>>(FLOWS) flow_serial;
Register<bit<32>, bit<32>>(FLOWS) flow_result0;
Register<bit<32>, bit<32>>(FLOWS) flow_result1;
Register<bit<32>, bit<32>>(FLOWS) flow_result2;
Register<bit<32>, bit<32>>(FLOWS) flow_result3;
Register<bit<32>, bit<32>>(FLOWS) flow_result4;
Register<bit<32>, bit<32>>(FLOWS) flow_result5;
Register<bit<32>, bit<32>>(FLOWS) flow_result6;
Register<bit<32>, bit<32>>(FLOWS) flow_result7;
#define CELLS_OF(a, n) Register<bit<32>, bit<32>>(CELLS) CAT(r, n);
EACH_REGISTER(CELLS_OF, , )
/* Says to the control plane, by its size, how many arrays are before the dependent stage. */
Register<bit<32>, bit<32>>(ORDINARY) ordinary;
Counter<bit<64>, bit<32>>(BLOCKS, PSA_CounterType_t.PACKETS) access;
Counter<bit<64>, bit<32>>(16, PSA_CounterType_t.PACKETS) outcome;

/* m.outcome, and the index into the counter. The first six are also the status of the reply. */
#define TXN_OK 0
#define TXN_STALE 1
#define TXN_CONFLICT 2
#define TXN_ABORT 3
#define TXN_VERSION 4
#define TXN_MALFORMED 5
#define TXN_REPLAY 6
#define TXN_DROPPED 7
#define TXN_RETRY 8
#define TXN_SECOND 9
#define L2_FORWARD 10
#define L2_FLOOD 11

struct metadata_t {
	bit<32> in_port;
	bit<32> out_port;
	bit<32> outcome;
	bit<8> pass;		/* 0, or OP_SECOND_PASS in the second pass */
	bit<8> record;		/* the flow entry is ours to change */
	bit<8> state;
	bit<8> entry_state;
	bit<8> part;		/* of an op */
	bit<8> early;		/* something depends on sources of the same pass */
	bit<8> late_source;	/* a source is in the dependent stage */
	bit<32> entry_seq;
	bit<64> entry_tenant;
	bit<64> entry;
	bit<64> tenant;
	bit<64> owner;
	bit<64> serial;
	bit<32> lock;
	bit<32> mask;
	bit<32> addend;
	bit<32> below;
	bit<48> mac;
	bit<32> address;
	bit<16> homa_port;
	/* of each instruction place: its op, below OP_SECOND_PASS if it is of this pass; its block; the
	   cell's new value */
	bit<8> op0;
	bit<8> op1;
	bit<8> op2;
	bit<8> op3;
	bit<8> op4;
	bit<8> op5;
	bit<8> op6;
	bit<8> op7;
	bit<32> block0;
	bit<32> block1;
	bit<32> block2;
	bit<32> block3;
	bit<32> block4;
	bit<32> block5;
	bit<32> block6;
	bit<32> block7;
	bit<32> new0;
	bit<32> new1;
	bit<32> new2;
	bit<32> new3;
	bit<32> new4;
	bit<32> new5;
	bit<32> new6;
	bit<32> new7;
}
