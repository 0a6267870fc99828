#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 500
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/bin/p4smallbank build/bin/p4tpcc build/bin/p4oracle build/bin/p4corrupt build/bin/example-tenant build/p4db-20-4-256.spec:/lib/p4db.spec
# SmallBank and TPC-C's new-order and payment on two nodes: their own conditions hold in the end and the
# oracle agrees, also after the switch has lost its registers in the middle; and if a value is altered
# behind their backs, they find it. The example tenant counts to 3000. LONG (not set): p4tpcc's find as well, minutes.
. /lib/scenario.sh

start_pair() {	# start_pair PROGRAM TENANT OPTION...: node 0 on h1 and node 1 on h2
	program=$1 tenant=$2
	shift 2
	rm -rf /tmp/oltp
	mkdir /tmp/oltp
	chown 100$tenant /tmp/oltp
	for node in 0 1; do
		start_on h$((node + 1)) "node$node" setpriv --reuid 100$tenant --regid 100$tenant \
			--clear-groups "$program" --tenant $tenant --node $node \
			--peers 10.0.0.1:5000,10.0.0.2:5000 --duration-us 30000000 \
			--history /tmp/oltp/node$node.history --summary /tmp/oltp/node$node.json "$@"
		eval node$node=$pid
	done
}

both_end() {
	status=0
	wait $node0 || status=1
	wait $node1 || status=1
	tail -n 3 /tmp/node0.log /tmp/node1.log
	return $status
}

oracle_agrees() { p4oracle /tmp/oltp/node0.history /tmp/oltp/node1.history; }

used() {	# used NAME: summed over both summaries
	cat /tmp/oltp/node*.json | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" | awk '{ n += $1 } END { print n + 0 }'
}

runs_hot() { tail -n 1 /tmp/node0.log | grep -q ' phase hot '; }

# Where a hot phase waits for its last reply, the switch goes.
lose_registers() {
	await 120 runs_hot
	crash $switch
	start_switch
}

unseen() { sed -n 's/^L [0-9]* //p' /tmp/oltp/node0.history; }

good() {	# good PROGRAM TENANT OPTION...: with a log, and a switch that restarts
	start_pair "$@" --log /tmp/oltp --flows 1
	lose_registers
	status=0
	both_end > /tmp/check.log || status=1
	verdict $status "$1: its conditions hold after the switch has lost its memory" /tmp/check.log
	sed 's/^/  /' /tmp/check.log
	check "$1: a serial execution" oracle_agrees
	equal "$1: both nodes had values from their logs" "$(used replayed)" 2
	check "$1: most ran in the switch" [ "$(used hot)" -gt "$(used cold)" ]
	echo "  in doubt: $(used settled) done, as others have seen; serials that nobody has seen: $(unseen)"
}

# A busy host may keep p4corrupt from its turn until all is over; then there is nothing to be found yet.
finds() {	# finds PROGRAM TENANT TEXT OPTION...: what is altered in the switch
	want=$3 program=$1 tenant=$2 tries=10
	shift 3
	while [ $tries -gt 0 ]; do
		tries=$((tries - 1))
		start corrupt p4corrupt --switch /run/p4switch.sock --allocd /run/p4allocd.sock \
			--tenant $tenant --batch 2 --after 5
		corrupt=$pid
		start_pair "$program" $tenant "$@" --batches 3
		both_end > /tmp/check.log || true
		kill "$corrupt" 2> /dev/null || break
	done
	cat /tmp/corrupt.log >> /tmp/check.log
	status=0
	grep -q "$want" /tmp/node0.log /tmp/node1.log || status=1
	verdict $status "$program: an altered value is found" /tmp/check.log
}

dependent=4
rack
outlive_switch h1 h2
start_allocator
printf '%d:10\n' 1 2 3 > /tmp/counts
check 'the example tenant' on h1 setpriv --reuid 1001 --regid 1001 --clear-groups example-tenant 1 /tmp/counts
equal 'it counts in the switch' "$(cat /tmp/check.log)" "$(printf 'batch %d: %d000\n' 0 1 1 2 2 3)"
good p4smallbank 1 --accounts 1000 --hot 100 --txns 500 --batches 1
good p4tpcc 2 --warehouses 2 --txns 300 --batches 1
finds p4smallbank 1 'do not have what they must' --accounts 1000 --hot 100 --txns 600 --relayout 1
check 'p4smallbank: layouts followed what was accessed' [ "$(used layouts)" -ge 2 ]
[ -z "${LONG:-}" ] || finds p4tpcc 2 '^condition 1:' --warehouses 2 --txns 1500
finish
