#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0-or-later
# switch-cost.awk SYMBOLS TRACE - instructions of the hosts in each of `trips` round trips
#
# SYMBOLS: name, first address and end of some kernel functions. TRACE: QEMU's log of executed blocks
# of one instruction each. Addresses have all 16 hex digits, so they compare as strings.
#
# Who executes: libraries of the switch are at 2aaa..., those of the hosts' programs at 7ffff7...; the
# kernel works for whoever is seen in user space next, after a change of tasks. A veth's receive
# interrupt runs in its sender's time and is work of the other side.
function count(n, rx) {
	if (owner == "") { pending[rx] += n; return }
	side[rx ? (owner == "host" ? "switch" : "host") : owner] += n
}

function becomes(who, rx) {
	if (owner == who) return
	owner = who
	for (rx = 0; rx < 2; rx++) { count(pending[rx], rx); pending[rx] = 0 }
}

FNR == NR { from[$1] = $2; to[$1] = $3; next }
!call {
	# what begins a message: a transaction, two of them, echo and answer, two commands with theirs
	split("homa:__sys_sendmsg:1 lock:homa_txn_sendmsg:2 udp:udp_sendmsg:2 redis:tcp_sendmsg:4", all, " ")
	for (i in all) {
		split(all[i], part, ":")
		if (part[1] == work) { call = from[part[2]]; calls_a_trip = part[3] }
	}
	softirqs = "handle_softirqs" in from ? "handle_softirqs" : "__do_softirq"
	if (call == "" || from["net_rx_action"] == "" || from["__switch_to_asm"] == "") exit 1
}
/^Trace/ {
	split($0, part, "/")
	pc = part[2]
	if (pc == call) {
		if (calls++ == calls_a_trip * trips) { done = 1; exit }
	}
	if (!calls) next
	if (pc < "8000000000000000") {
		rx = 0
		if (pc ~ /^00002aaa/) becomes("switch")
		else if (pc ~ /^00007ffff7/) becomes("host")
	} else if (pc == from["net_rx_action"]) {
		rx = 1
	} else if (rx && pc >= from[softirqs] && pc < to[softirqs]) {
		rx = 0
	} else if (pc == from["__switch_to_asm"]) {
		count(1, rx)
		owner = ""
		next
	}
	count(1, rx)
}
END {
	if (!done) { print "failed switch-cost", work; exit 1 }
	printf "value switch-cost instructions %s %d\n", work, side["host"] / trips
	printf "  switch-cost %s: the switch %d\n", work, side["switch"] / trips
}
