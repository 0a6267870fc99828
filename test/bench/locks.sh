#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# locks.sh - how often an RPC waits for a lock that another CPU holds: 8 client threads, 8 server
# threads, 4 CPUs, on the debug kernel, whose lock_stat counts it
#
# locks: each client thread has a server thread of its own, and a connection to it, or a server socket
# that it calls. locks-shared: all server threads share a socket, or an epoll set.
#
# This is no virtual time: the figure depends on what else the machine does, for both alike, so they
# take turns. Checkers that would serialize everything are off, and RPCs are freed as without KASAN.
. /lib/bench.sh

threads=8 warmup=50

contentions() {	# by class
	sed -n 's/^ *\(.*\): *[0-9]* *\([0-9]\{1,\}\) .*/\2 \1/p' /proc/lock_stat
}

run() {		# run ROW TRANSPORT SERVER_OPTIONS CLIENT_OPTIONS: what there was goes to /tmp/ROW.TRANSPORT
	start_on h2 server p4bench server --transport $2 --port $port $3
	server=$pid
	if ! await 60 answers $2; then
		failed $1 $2 /tmp/server.log
		return
	fi
	echo 0 > /proc/lock_stat
	echo 1 > /proc/sys/kernel/lock_stat
	on h1 p4bench client --to $address:$port --transport $2 --threads $threads --count 500 \
		--warmup $warmup --timeout 200 -j $4 > /tmp/result 2>&1 || failed $1 $2 /tmp/result
	echo 0 > /proc/sys/kernel/lock_stat
	contentions >> /tmp/$1.$2
	echo $(($(member done) + threads * warmup)) RPCs >> /tmp/$1.$2
	kill -9 $server
	wait $server 2> /dev/null || true
	port=$((port + threads))
}

tell() {	# tell ROW TRANSPORT: an RPC of all its runs, in all and the most by class
	awk '{ n = $1; $1 = ""; sum[$0] += n } END { for (class in sum) print sum[class] class }' /tmp/$1.$2 |
		awk -v row=$1 -v transport=$2 '
			$2 == "RPCs" { rpcs = $1; next }
			{ all += $1; n = $1; $1 = ""; class[$0] = n }
			END {
				printf "value %s contended %s %.4f\n", row, transport, all / rpcs
				for (c in class)
					printf "  %s: %.4f of them%s\n", transport, class[c] / rpcs, c | "sort -rnk2 | sed -n 1,6p"
			}'
}

echo 0 > /sys/module/lockdep/parameters/prove_locking
echo off > /sys/kernel/debug/kmemleak	# it has a lock for all allocations
rmmod p4homa
insmod /lib/modules/p4homa.ko late_free=0
two_hosts
client_host=h1 address=10.0.0.2
for turn in 1 2; do
	run locks homa "--ports $threads" "--ports $threads"
	run locks tcp "" ""
done
run locks-shared homa "--threads $threads" ""
run locks-shared tcp "--epoll --threads $threads" ""
for row in locks locks-shared; do
	tell $row homa
	tell $row tcp
done
finish
