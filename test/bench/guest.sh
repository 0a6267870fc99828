#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest.sh - measures rows of the table, in a guest; its arguments name them, as in test/bench/rows
#
# Prints `raw ROW TRANSPORT DONE P50 P99 RATE GBIT` as each is done (ns, 1/s, Gbit/s), and
# `failed ROW TRANSPORT` for what could not be measured.
. /lib/scenario.sh

wanted=" $* "
wants() { case $wanted in *" $1 "*) return 0 ;; esac; return 1; }
wants_any() { case $wanted in *" $1"*) return 0 ;; esac; return 1; }

raw() {		# raw ROW TRANSPORT: what p4bench -j has left in /tmp/result
	sed -n 's/.*"done":\([0-9]*\),"p50_ns":\([0-9]*\),"p99_ns":\([0-9]*\),"rate":\([0-9.]*\),"gbit":\([0-9.]*\).*/'"raw $1 $2"' \1 \2 \3 \4 \5/p' \
		/tmp/result
}

# measure ROW TRANSPORT SERVER_OPTIONS CLIENT_OPTIONS: a new server for each, so that none inherits
# anything. A server is ready when it answers; the client that is measured warms up by itself.
measure() {
	row=$1 transport=$2
	start_on "$server_host" server p4bench server --transport $transport --port $port $3
	server=$pid
	if await 20 on $client_host p4bench client --to $address:$port --transport $transport \
			--count 1 --warmup 1 --timeout 5 &&
	   on $client_host p4bench client --to $address:$port --transport $transport --timeout 120 -j \
			$4 > /tmp/result 2>&1; then
		raw $row $transport
	else
		echo "failed $row $transport"
		sed 's/^/  /' /tmp/result /tmp/server.log
	fi
	kill -9 $server
	wait $server 2> /dev/null || true
	port=$((port + 1))
}

round_trip() {	# round_trip ROW LEN COUNT TRANSPORT...
	row=$1 len=$2 count=$3
	shift 3
	wants $row || return 0
	for t in "$@"; do
		measure $row $t "" "--len $len --count $count"
	done
}

bulk() {	# bulk ROW OUTSTANDING: requests of 1 MB, 16 bytes back
	wants $1 || return 0
	options="--len 1000000 --reply 16 --outstanding $2 --count 300 --warmup 50"
	measure $1 homa "" "$options"
	[ $2 = 1 ] && epoll= || epoll=--epoll
	measure $1 tcp "$epoll" "$options"
}

beside() {	# beside ROW
	wants $1 || return 0
	options="--len 100 --beside 4:500000 --count 2000 --warmup 300"
	measure $1 homa "--threads 5" "$options"
	measure $1 tcp "" "$options"
}

rate() {	# rate ROW
	wants $1 || return 0
	options="--len 100 --outstanding 64 --count 20000 --warmup 2000"
	measure $1 homa "" "$options"
	measure $1 tcp --epoll "$options"
}

all_rows() {	# all_rows LINK: between $client_host and $server_host, which has $address
	round_trip $1-rpc100 100 2000 homa tcp udp
	round_trip $1-rpc1k 1000 2000 homa tcp
	round_trip $1-rpc10k 10000 2000 homa tcp
	round_trip $1-rpc60k 60000 1000 homa tcp
	round_trip $1-rpc200k 200000 1000 homa tcp
	bulk $1-mb1 1
	bulk $1-mb8 8
	beside $1-mix
	rate $1-rate
}

no_hosts() {
	ip netns del h1
	ip netns del h2
}

# ---------------------------------------------------------------- links

on_veth() {
	two_hosts
	client_host=h1 server_host=h2 address=10.0.0.2
	all_rows veth
	no_hosts
}

on_loopback() {
	ip netns add h1
	ip -n h1 link set lo up
	client_host=h1 server_host=h1 address=127.0.0.1
	all_rows lo
	ip netns del h1
}

on_virtio() {
	for n in 1 2; do
		ip netns add h$n
		ip link set nic$n netns h$n name eth0
		ip -n h$n addr add 10.0.0.$n/24 dev eth0
		ip -n h$n link set lo up
		ip -n h$n link set eth0 up
	done
	client_host=h1 server_host=h2 address=10.0.0.2
	all_rows virtio
}

# The switch never naps here: it polls, as it would on a core of its own.
through_switch() {
	nap=0
	rack
	client_host=h1 server_host=h2 address=10.0.0.2
	measure switch udp "" "--len 100 --count 1000"
	if on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --tenant 1 --epoch 1 \
			--count 1000 > /tmp/result 2>&1; then
		sed -n 's|.*: \([0-9]*\) done, p50 \([0-9]*\) p99 \([0-9]*\) ns, \([0-9]*\) /s|raw switch homa \1 \2 \3 \4 0|p' \
			/tmp/result
	else
		echo "failed switch homa"
		sed 's/^/  /' /tmp/result
	fi
}

for n in 1 2; do	# out of the way of veths that are made here
	[ ! -e /sys/class/net/eth$((n - 1)) ] || ip link set eth$((n - 1)) name nic$n
done
port=4000
! wants_any veth- || on_veth
! wants_any lo- || on_loopback
! wants_any virtio- || on_virtio
[ ! -e /var/run/netns/h1 ] || no_hosts
! wants switch || through_switch
finish
