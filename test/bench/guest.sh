#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs in the guest. Medians of 1000 round trips of 100 bytes (a switch transaction has 168), first
# on a cable between two hosts, then through p4switch.
. /lib/scenario.sh

median() { sed -n 's/.* p50 \([0-9]*\) .*/\1/p' "$1"; }

round_trips() {	# round_trips NAME TRANSPORT PORT
	start_on h2 server rpc server --transport $2 --port $3
	server=$pid
	await 60 on h1 timeout 5 rpc client --to 10.0.0.2:$3 --transport $2 --len 100 --count 100
	on h1 rpc client --to 10.0.0.2:$3 --transport $2 --len 100 --count 1000 > /tmp/rtt.log
	kill -9 $server
	wait $server 2> /dev/null || true
	echo "bench: $1 $(median /tmp/rtt.log) ns"
}

two_hosts
round_trips rpc100-homa homa 4000
round_trips rpc100-tcp tcp 4001
round_trips rpc100-udp udp 4002
ip netns del h1
ip netns del h2
rack
round_trips switch-udp udp 4003
round_trips switch-homa homa 4004
on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --tenant 1 --epoch 1 --count 1000 > /tmp/rtt.log
echo "bench: switch-txn $(median /tmp/rtt.log) ns"
on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --tenant 1 --epoch 2 --count 1000 \
	--two-passes > /tmp/rtt.log
echo "bench: switch-txn-two-passes $(median /tmp/rtt.log) ns"
finish
