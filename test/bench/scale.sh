#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# scale.sh - what 110,000 RPCs cost that wait for their answers, and 10,001 peers
#
# Memory is all that the kernel has taken meanwhile, both ends of the RPCs and the senders' copies of
# the requests included. Of peers, it is what stays of small objects and tables when the RPCs with them
# are over, since a peer is not forgotten then; of 40,000. Round trips are timed before all that and
# beside it.
. /lib/bench.sh

rpcs=100000 peers=10000 rounds=4

settle() {	# what was there before takes no memory any more
	sleep 3		# what waits for a grace period
	echo 3 > /proc/sys/vm/drop_caches
	for c in /sys/kernel/slab/*/shrink; do
		echo 1 > $c
	done
}

kernel_bytes() {	# in use, but not by programs or caches of files
	awk '{ kb[$1] = $2 }
	END { print (kb["MemTotal:"] - kb["MemFree:"] - kb["Buffers:"] - kb["Cached:"] - kb["AnonPages:"] - \
		     kb["PageTables:"]) * 1024 }' /proc/meminfo
}

round_trips() {	# round_trips TRANSPORT: how the row calls it
	if on h1 p4bench client --to 10.0.0.2:4000 --count 2000 --warmup 2000 -j > /tmp/result 2>&1; then
		raw scale-rtt $1
	else
		failed scale-rtt $1 /tmp/result
	fi
}

kept_bytes() {	# in small objects, tables and by CPU: of what has no pages of its own
	awk '/^(SUnreclaim|VmallocUsed|Percpu):/ { kb += $2 } END { print kb * 1024 }' /proc/meminfo
}

hold() {	# hold NAME ADDRESS COUNT PEERS: until let_go
	start_on h1 $1 p4bench hold --to $2:4000 --count $3 --peers $4
	holders="${holders:-} $pid"
	if ! await 300 grep -q holds /tmp/$1.log; then
		failed $1 homa /tmp/$1.log
		finish
	fi
}

serve() {
	start_on h2 server p4bench server
	server=$pid
	await 20 answers homa
}

let_go() {
	for p in $holders; do
		stop $p || failed scale homa /tmp/scale-*.log
	done
	holders=
}

meet() {	# meet ROUND: that many other peers, with which nothing is under way then
	hold scale-peers$1 10.1.$((1 + $1 * 50)).1 $peers $peers
	let_go
}

two_hosts
# every address of that net is h2
ip -n h2 route add local 10.1.0.0/16 dev lo
ip -n h1 route add 10.1.0.0/16 via 10.0.0.2
on h1 sysctl -q -w net.homa.peer_net_max=$((peers * 10))
client_host=h1 address=10.0.0.2
serve
settle		# allocations take longer after it: not between the two
begin=$(kernel_bytes)
round_trips alone
hold scale-most 10.0.0.2 $rpcs 1
echo "value scale-rpc memory homa $((($(kernel_bytes) - begin) / rpcs / 2))"
hold scale-rest 10.1.1.1 $peers $peers
sleep 10	# until those that wait have found how often to ask
round_trips homa
let_go
stop $server || true	# and with it the requests that it has and will not answer
settle
begin=$(kept_bytes)
serve
for round in $(seq $rounds); do
	meet $round
done
stop $server || true
settle
echo "value scale-peer memory homa $((($(kept_bytes) - begin) / peers / rounds))"
finish
