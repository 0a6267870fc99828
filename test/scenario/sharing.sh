#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -i -n -M 512 -t 120
# files: build/bin/p4bench
# Client and server wait on one CPU, one of them spinning; and a program that only computes, beside them. In
# virtual time, over devices that take 5 us.
. /lib/scenario.sh

poll() {		# poll USECS
	for n in 1 2; do
		on h$n sysctl -q -w net.homa.poll_usecs=$1
	done
}
used() { cut -d' ' -f1 /proc/$busy/schedstat; }		# ns of the CPU
now() { sed -n 's/^now at \([0-9]*\) nsecs/\1/p' /proc/timer_list; }
beside() {	# beside COUNT: as round_trip, and the thousandths of the CPU that others had
	before=$(used) begin=$(now)
	trip=$(round_trip $1)
	share=$((($(used) - before) * 1000 / ($(now) - begin)))
}
round_trip() {	# round_trip COUNT: the median, ns
	on h1 p4bench client --to 10.0.0.2:4000 --len 100 --count $1 --warmup 1000 -j |
		sed -n 's/.*"p50_ns":\([0-9]*\).*/\1/p'
}
at_most() { echo "$1, $2"; [ "$1" -le "$2" ]; }		# at_most NUMBER NUMBER

for n in 1 2; do
	ip netns add h$n
	ip link set eth$((n - 1)) name nic$n
	ip link set nic$n netns h$n name eth0
	ip -n h$n addr add 10.0.0.$n/24 dev eth0
	ip -n h$n link set lo up
	ip -n h$n link set eth0 up
done
start_on h2 server p4bench server --port 4000
await 60 round_trip 1
poll 0
asleep=$(round_trip 1000)
poll 50
check "whose message comes next has the CPU" at_most $(round_trip 1000) $((asleep * 85 / 100))

start busy sh -c 'while :; do :; done'
busy=$pid
poll 0
beside 2000
asleep=$trip left=$share
poll 50
beside 2000
check "beside others a round trip takes no longer" at_most $trip $((asleep * 102 / 100))
check "and leaves them what it left them" at_most $((left * 95 / 100)) $share
finish
