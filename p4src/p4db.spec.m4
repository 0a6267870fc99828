changequote([, ])changecom(;)dnl
divert(-1)
; SPDX-License-Identifier: GPL-2.0-or-later
;
; p4db.p4 as p4c-dpdk --arch psa would emit it, made by m4 for a geometry; labels.awk then merges
; labels. Read it beside txn.p4 and the place_*.p4 files: same statements, same order, but for dispatch.
; The P4 source uses ==, !=, <= and >= only: each condition is one inverted jump past its block.
define([hex], [0x[]translit(eval([$1], 16), [a-f], [A-F])])
define([for], [ifelse(eval($2 <= $3), 1, [pushdef([$1], $2)$4[]popdef([$1])for([$1], incr($2), $3, [$4])])])
define([each_place], [for([K], 0, 7, [$1])])

define([_label], -1)
define([_new_label], [define([_label], incr(_label))_label])
; _if(number, jump when false, a, b, then, else)
define([_if], [	$2 LABEL_[]ifelse([$6], [], END, FALSE)_$1 $3[]ifelse([$4], [], [], [ $4])
$5[]ifelse([$6], [], [], [	jmp LABEL_END_$1
	LABEL_FALSE_$1 :
$6])	LABEL_END_$1 :
])
define([if_eq], [_if(_new_label, jmpneq, [$1], [$2], [$3], [$4])])
define([if_ne], [_if(_new_label, jmpeq, [$1], [$2], [$3], [$4])])
define([if_le], [_if(_new_label, jmpgt, [$1], [$2], [$3], [$4])])
define([if_ge], [_if(_new_label, jmplt, [$1], [$2], [$3], [$4])])
define([if_valid], [_if(_new_label, jmpnv, [$1], [], [$2], [$3])])

; dispatch(what): what for the register array that place K names; n is its number. The source compares
; with one after the other; by halves it is found with fewer. MALFORMED has kept out what is none.
define([dispatch], [_dispatch(0, decr(REGISTERS), [$1])])
define([_dispatch], [ifelse([$1], [$2], [pushdef([n], [$1])$3[]popdef([n])],
	[_dispatch_half([$1], eval(($1 + $2) / 2), [$2], [$3])])])
define([_dispatch_half], [if_le(h.instr[]K.reg, hex($2), [_dispatch([$1], [$2], [$4])],
	[_dispatch(incr($2), [$3], [$4])])])

define([meta], [m.local_metadata_$1])
define([IN_PORT], [m.psa_ingress_input_metadata_ingress_port])
define([DROP_FLAG], [m.psa_ingress_output_metadata_drop])
define([EGRESS], [m.psa_ingress_output_metadata_egress_port])
define([send_to_port], [	mov DROP_FLAG 0
	mov m.psa_ingress_output_metadata_multicast_group 0x0
	mov EGRESS $1
])

define([CELLS], eval(BLOCKS * 64))
define([ORDINARY], eval(REGISTERS - DEPENDENT))
define([OK], 0x0) define([STALE], 0x1) define([CONFLICT], 0x2) define([ABORT], 0x3)
define([VERSION], 0x4) define([MALFORMED], 0x5) define([REPLAY], 0x6) define([DROPPED], 0x7)
define([RETRY], 0x8) define([SECOND], 0x9) define([FORWARD], 0xA) define([FLOOD], 0xB)
define([LOOPBACK_PORT], 0xE) define([FLOOD_PORT], 0xF)
define([set_outcome], [	mov meta(outcome) $1
])

; part_is(bits): these of an op, into m.part
define([part_is], [	mov meta(part) h.instr[]K.op
	and meta(part) $1
])

define([place_check], [if_ne(h.instr[]K.op, 0x0,
	[if_ge(h.instr[]K.reg, hex(REGISTERS), [set_outcome(MALFORMED)])]dnl
	[if_ge(h.instr[]K.op, 0x7, [part_is(0x1F)]dnl
[if_eq(meta(part), 0x0, [set_outcome(MALFORMED)])]dnl
[if_ge(meta(part), 0x7, [set_outcome(MALFORMED)])]dnl
[part_is(0x9F)]dnl
[if_eq(meta(part), 0x84, [set_outcome(MALFORMED)])]dnl
[part_is(0xC0)]dnl
[if_eq(meta(part), 0xC0, [set_outcome(MALFORMED)])]dnl
[if_eq(meta(part), 0x40, [if_ge(h.instr[]K.reg, hex(ORDINARY), [	mov meta(late_source) 0x1
])])]dnl
[part_is(0xA0)]dnl
[if_eq(meta(part), 0x20, [	mov meta(early) 0x1
if_le(h.instr[]K.reg, hex(decr(ORDINARY)), [set_outcome(MALFORMED)])])])])])

define([do_block], [	mov meta(block[]K) h.instr[]K.cell
	shr meta(block[]K) 0x6
])

define([place_owner], [	mov meta(op[]K) h.instr[]K.op
if_ne(meta(op[]K), 0x0, [do_block[]dnl
if_ge(meta(block[]K), hex(BLOCKS), [set_outcome(STALE)])dnl
	regrd meta(owner) owner meta(block[]K)
if_ne(meta(owner), h.txn.owner, [set_outcome(STALE)])])])

define([place_second], [	mov meta(op[]K) h.instr[]K.op
	xor meta(op[]K) 0x80
do_block[]])

define([place_read], [if_ge(meta(op[]K), 0x1, [if_le(meta(op[]K), 0x7F,
[	regadd access meta(block[]K) 0x1
	mov meta(new[]K) h.instr[]K.operand
dispatch([	regrd h.instr[]K.result r[]n h.instr[]K.cell
])dnl
if_ge(meta(op[]K), 0x3, [if_eq(meta(op[]K), 0x3, [	add meta(new[]K) h.instr[]K.result
], [	mov meta(addend) 0x0
if_ge(meta(op[]K), 0x20, [	mov meta(part) meta(op[]K)
	and meta(part) 0x20
if_ne(meta(part), 0x0, [	mov meta(addend) h.txn.sum
])dnl
if_ge(meta(op[]K), 0x40, [	add h.txn.sum h.instr[]K.result
])dnl
	and meta(op[]K) 0x1F
])dnl
if_ge(meta(op[]K), 0x3, [	add meta(new[]K) h.instr[]K.result
])dnl
if_ge(meta(op[]K), 0x4, [if_eq(meta(op[]K), 0x6, [	add meta(addend) meta(new[]K)
if_ge(meta(addend), 0x80000000, [	sub meta(new[]K) 0x1
])dnl
	mov meta(addend) 0x0
])dnl
	mov meta(below) meta(new[]K)
	add meta(below) meta(addend)
if_eq(meta(op[]K), 0x4, [if_ge(meta(below), 0x80000000, [set_outcome(ABORT)])])dnl
	sub meta(below) 0xA
if_eq(meta(op[]K), 0x5, [if_ge(meta(below), 0x80000000, [	add meta(new[]K) 0x5B
])])])dnl
	add meta(new[]K) meta(addend)
])])], [	mov meta(op[]K) 0x0
])])])

define([place_write], [if_ge(meta(op[]K), 0x2, [dispatch([	regwr r[]n h.instr[]K.cell meta(new[]K)
])])])

define([flow_entry], [	mov meta(entry) meta(tenant)
	shl meta(entry) 0x8
	mov m.Ingress_tmp_0 meta(state)
	or meta(entry) m.Ingress_tmp_0
	shl meta(entry) 0x20
	mov m.Ingress_tmp_1 h.txn.seq
	or meta(entry) m.Ingress_tmp_1
	regwr flow_state h.txn.flow meta(entry)
])

define([flow_check], [	regrd meta(entry) flow_state h.txn.flow
	mov meta(entry_seq) meta(entry)
	mov m.Ingress_tmp meta(entry)
	shr m.Ingress_tmp 0x20
	mov meta(entry_state) m.Ingress_tmp
	mov meta(entry_tenant) meta(entry)
	shr meta(entry_tenant) 0x28
	mov meta(record) 0x1
if_le(h.txn.seq, meta(entry_seq), [	mov meta(record) 0x0
set_outcome(DROPPED)])dnl
if_eq(meta(entry_state), 0x1, [	mov meta(record) 0x0
set_outcome(DROPPED)])dnl
if_eq(h.txn.seq, meta(entry_seq), [if_ge(meta(entry_state), 0x80, [set_outcome(REPLAY)])])dnl
if_ne(meta(entry_tenant), meta(tenant), [set_outcome(STALE)])dnl
if_eq(meta(tenant), 0x0, [set_outcome(STALE)])dnl
if_ge(h.txn.flow, hex(FLOWS), [set_outcome(STALE)])])

define([do_lock_check], [	regrd meta(lock) lock h.txn.home
	mov meta(mask) meta(lock)
	and meta(mask) h.txn.lock_check
if_ne(meta(mask), 0x0, [	mov h.txn.pass 0x1
	add h.txn.retries 0x1
if_ge(h.txn.retries, 0x8, [set_outcome(CONFLICT)], [set_outcome(RETRY)])])])

define([do_commit], [	regrd h.txn.serial serial h.txn.home
	mov meta(serial) h.txn.serial
	add meta(serial) 0x1
	regwr serial h.txn.home meta(serial)
])

define([do_acquire], [	or meta(lock) h.txn.lock_acquire
	regwr lock h.txn.home meta(lock)
	mov h.txn.pass 0x2
set_outcome(SECOND)])

define([do_release], [	regrd meta(lock) lock h.txn.home
	mov meta(mask) h.txn.lock_acquire
	xor meta(mask) 0xFFFFFFFF
	and meta(lock) meta(mask)
	regwr lock h.txn.home meta(lock)
])

define([do_reply], [	mov h.txn.version 0x1
	mov h.txn.pass 0x0
	mov h.txn.port 0x0
	mov h.txn.sum 0x0
	mov h.common.type 0x21
	xor h.common.sender_id 0x1
	mov meta(homa_port) h.common.sport
	mov h.common.sport h.common.dport
	mov h.common.dport meta(homa_port)
	mov meta(address) h.ipv4.src
	mov h.ipv4.src h.ipv4.dst
	mov h.ipv4.dst meta(address)
	mov meta(mac) h.ethernet.src
	mov h.ethernet.src h.ethernet.dst
	mov h.ethernet.dst meta(mac)
])

define([do_transaction], [set_outcome(OK)dnl
	mov meta(pass) 0x0
	mov meta(record) 0x0
	mov meta(tenant) h.txn.owner
	shr meta(tenant) 0x28
if_eq(meta(in_port), LOOPBACK_PORT,
[	mov meta(out_port) h.txn.port
	mov meta(record) 0x1
if_eq(h.txn.pass, 0x2, [	mov meta(pass) 0x80
])],
[	mov meta(out_port) meta(in_port)
	mov h.txn.port meta(in_port)
	mov h.txn.pass 0x0
	mov h.txn.retries 0x0
	mov h.txn.sum 0x0
	mov h.txn.serial 0x0
	mov meta(early) 0x0
	mov meta(late_source) 0x0
each_place([place_check])dnl
if_eq(meta(early), 0x1, [if_eq(meta(late_source), 0x1, [set_outcome(MALFORMED)])])dnl
if_ne(h.txn.version, 0x1, [set_outcome(VERSION)])dnl
if_eq(meta(outcome), OK, [flow_check])])dnl
if_eq(meta(outcome), OK, [if_eq(meta(pass), 0x0,
[	regrd meta(owner) owner h.txn.home
if_ne(meta(owner), h.txn.owner, [set_outcome(STALE)])dnl
if_ge(h.txn.home, hex(BLOCKS), [set_outcome(STALE)])dnl
each_place([place_owner])dnl
if_eq(meta(outcome), OK, [do_lock_check])],
[each_place([place_second])])])dnl
if_eq(meta(outcome), OK, [each_place([place_read])dnl
if_eq(meta(outcome), OK, [each_place([place_write])dnl
if_eq(meta(pass), 0x0, [do_commit[]if_ne(h.txn.lock_acquire, 0x0, [do_acquire])], [do_release])])])dnl
if_ge(meta(outcome), RETRY,
[	mov meta(out_port) LOOPBACK_PORT
	mov meta(state) 0x1
flow_entry],
[if_eq(meta(outcome), STALE, [if_ne(meta(in_port), LOOPBACK_PORT, [	mov meta(record) 0x0
if_eq(meta(entry_tenant), meta(tenant), [if_le(h.txn.flow, hex(FLOWS - 1), [	regrd h.txn.serial flow_serial h.txn.flow
])])])])dnl
	mov h.txn.status meta(outcome)
if_eq(meta(outcome), REPLAY, [	mov h.txn.status meta(entry_state)
	and h.txn.status 0x7F
	regrd h.txn.serial flow_serial h.txn.flow
each_place([	regrd h.instr[]K.result flow_result[]K h.txn.flow
])])dnl
if_eq(meta(record), 0x1, [	mov meta(state) h.txn.status
	or meta(state) 0x80
flow_entry[]dnl
	regwr flow_serial h.txn.flow h.txn.serial
each_place([	regwr flow_result[]K h.txn.flow h.instr[]K.result
])])dnl
do_reply])])

define([HEADER], [header $1 instanceof $2
])
divert(0)changecom[]dnl
; SPDX-License-Identifier: GPL-2.0-or-later
; p4db.p4 with [REGISTERS]=REGISTERS [BLOCKS]=BLOCKS [FLOWS]=FLOWS [DEPENDENT]=DEPENDENT; made from p4db.spec.m4

struct ethernet_t {
	bit<48> dst
	bit<48> src
	bit<16> type
}

struct ipv4_t {
	bit<8> version_ihl
	bit<8> tos
	bit<16> total_length
	bit<16> id
	bit<16> fragment
	bit<8> ttl
	bit<8> protocol
	bit<16> checksum
	bit<32> src
	bit<32> dst
}

struct common_t {
	bit<16> sport
	bit<16> dport
	bit<32> sequence
	bit<24> ack
	bit<8> type
	bit<8> doff
	bit<8> flags
	bit<16> window
	bit<16> checksum
	bit<16> urgent
	bit<64> sender_id
}

struct txn_t {
	bit<8> version
	bit<8> status
	bit<8> pass
	bit<8> retries
	bit<64> owner
	bit<32> flow
	bit<32> seq
	bit<32> lock_check
	bit<32> lock_acquire
	bit<16> home
	bit<16> port
	bit<32> sum
	bit<64> serial
}

struct instr_t {
	bit<8> reg
	bit<8> op
	bit<16> cell
	bit<32> operand
	bit<32> result
}

struct psa_ingress_output_metadata_t {
	bit<8> class_of_service
	bit<8> clone
	bit<16> clone_session_id
	bit<8> drop
	bit<8> resubmit
	bit<32> multicast_group
	bit<32> egress_port
}

struct psa_egress_output_metadata_t {
	bit<8> clone
	bit<16> clone_session_id
	bit<8> drop
}

struct psa_egress_deparser_input_metadata_t {
	bit<32> egress_port
}

struct forward_arg_t {
	bit<32> port
}

HEADER(ethernet, ethernet_t)dnl
HEADER(ipv4, ipv4_t)dnl
HEADER(common, common_t)dnl
HEADER(txn, txn_t)dnl
each_place([HEADER(instr[]K, instr_t)])
struct metadata_t {
	bit<32> psa_ingress_input_metadata_ingress_port
	bit<8> psa_ingress_output_metadata_drop
	bit<32> psa_ingress_output_metadata_multicast_group
	bit<32> psa_ingress_output_metadata_egress_port
	bit<32> local_metadata_in_port
	bit<32> local_metadata_out_port
	bit<32> local_metadata_outcome
	bit<8> local_metadata_pass
	bit<8> local_metadata_record
	bit<8> local_metadata_state
	bit<8> local_metadata_entry_state
	bit<8> local_metadata_part
	bit<8> local_metadata_early
	bit<8> local_metadata_late_source
	bit<32> local_metadata_entry_seq
	bit<64> local_metadata_entry_tenant
	bit<64> local_metadata_entry
	bit<64> local_metadata_tenant
	bit<64> local_metadata_owner
	bit<64> local_metadata_serial
	bit<32> local_metadata_lock
	bit<32> local_metadata_mask
	bit<32> local_metadata_addend
	bit<32> local_metadata_below
	bit<48> local_metadata_mac
	bit<32> local_metadata_address
	bit<16> local_metadata_homa_port
each_place([	bit<8> local_metadata_op[]K
])dnl
each_place([	bit<32> local_metadata_block[]K
])dnl
each_place([	bit<32> local_metadata_new[]K
])dnl
	bit<64> Ingress_tmp
	bit<64> Ingress_tmp_0
	bit<64> Ingress_tmp_1
}
metadata instanceof metadata_t

regarray owner size hex(BLOCKS) initval 0
regarray lock size hex(BLOCKS) initval 0
regarray serial size hex(BLOCKS) initval 0
regarray flow_state size hex(FLOWS) initval 0
regarray flow_serial size hex(FLOWS) initval 0
each_place([regarray flow_result[]K size hex(FLOWS) initval 0
])dnl
for([n], 0, decr(REGISTERS), [regarray r[]n size hex(CELLS) initval 0
])dnl
regarray ordinary size hex(ORDINARY) initval 0
regarray access size hex(BLOCKS) initval 0
regarray outcome size 0x10 initval 0
action forward args instanceof forward_arg_t {
set_outcome(FORWARD)send_to_port(t.port)dnl
	return
}

action flood args none {
set_outcome(FLOOD)send_to_port(FLOOD_PORT)dnl
	return
}

table l2 {
	key {
		h.ethernet.dst exact
	}
	actions {
		forward
		flood
	}
	default_action flood args none 
	size 0x400
}


apply {
	rx IN_PORT
	mov DROP_FLAG 0x1
	extract h.ethernet
	jmpeq SWITCHINGRESSPARSER_IPV4 h.ethernet.type 0x800
	jmp SWITCHINGRESSPARSER_ACCEPT
	SWITCHINGRESSPARSER_IPV4 :
	extract h.ipv4
	jmpeq SWITCHINGRESSPARSER_UNFRAGMENTED h.ipv4.version_ihl 0x45
	jmp SWITCHINGRESSPARSER_ACCEPT
	SWITCHINGRESSPARSER_UNFRAGMENTED :
	jmpeq SWITCHINGRESSPARSER_HOMA h.ipv4.fragment 0x0
	jmpeq SWITCHINGRESSPARSER_HOMA h.ipv4.fragment 0x4000
	jmp SWITCHINGRESSPARSER_ACCEPT
	SWITCHINGRESSPARSER_HOMA :
	jmpeq SWITCHINGRESSPARSER_COMMON h.ipv4.protocol 0x92
	jmp SWITCHINGRESSPARSER_ACCEPT
	SWITCHINGRESSPARSER_COMMON :
	extract h.common
	jmpeq SWITCHINGRESSPARSER_TXN h.common.type 0x20
	jmp SWITCHINGRESSPARSER_ACCEPT
	SWITCHINGRESSPARSER_TXN :
	extract h.txn
each_place([	extract h.instr[]K
])dnl
	SWITCHINGRESSPARSER_ACCEPT :
if_valid(h.txn,
[	mov meta(in_port) IN_PORT
do_transaction[]if_ne(meta(outcome), DROPPED, [send_to_port(meta(out_port))])],
[	table l2
if_eq(EGRESS, IN_PORT, [	mov DROP_FLAG 0x1
])])dnl
	regadd outcome meta(outcome) 0x1
if_ge(EGRESS, hex(FLOOD_PORT + 1), [	mov DROP_FLAG 0x1
])dnl
	jmpneq LABEL_DROP DROP_FLAG 0x0
	emit h.ethernet
	emit h.ipv4
	emit h.common
	emit h.txn
each_place([	emit h.instr[]K
])dnl
	tx EGRESS
	LABEL_DROP :
	drop
}
