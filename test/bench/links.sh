#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# links.sh ROW... - the rows of the table that run between two hosts on each kind of link
. /lib/bench.sh

# Of a new process, the scheduler lets the other side run sooner for the first 30 ms or so: for more
# than 1000 short round trips, which would then be half of what is measured.
round_trip() {	# round_trip ROW LEN WARMUP COUNT TRANSPORT...
	row=$1 options="--len $2 --warmup $3 --count $4"
	shift 4
	wants $row || return 0
	for t in "$@"; do
		measure $row $t "" "$options"
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

rate() {	# rate ROW: on both sides whatever the transport has for many at once
	wants $1 || return 0
	options="--len 100 --outstanding 64 --count 20000 --warmup 2000"
	measure $1 homa "--batch 64" "$options --batch 64"
	measure $1 tcp --epoll "$options"
}

all_rows() {	# all_rows LINK: between $client_host and $server_host, which has $address
	round_trip $1-rpc100 100 2000 2000 homa tcp udp
	round_trip $1-rpc1k 1000 2000 2000 homa tcp
	round_trip $1-rpc10k 10000 1000 2000 homa tcp
	round_trip $1-rpc60k 60000 500 1000 homa tcp
	round_trip $1-rpc200k 200000 300 1000 homa tcp
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

for n in 1 2; do	# out of the way of veths that are made here
	[ ! -e /sys/class/net/eth$((n - 1)) ] || ip link set eth$((n - 1)) name nic$n
done
! wants_any veth- || on_veth
! wants_any lo- || on_loopback
! wants_any virtio- || on_virtio
finish
