#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# locks.sh - how often an RPC waits for a lock that another CPU holds: 8 client threads, 8 server
# threads, 4 CPUs, on the debug kernel, whose lock_stat counts it
#
# This is no virtual time: the figure depends on what else the machine does, for both alike. Checkers
# that would serialize everything are off.
. /lib/bench.sh

threads=8 warmup=50

contentions() {	# by class, in all first
	sed -n 's/^ *\(.*\): *[0-9]* *\([0-9]\{1,\}\) .*/\2 \1/p' /proc/lock_stat |
		awk '{ sum += $1; print } END { print sum + 0, "in all" }' | sort -rn | sed -n 1,6p
}

run() {		# run TRANSPORT SERVER_OPTIONS
	start_on h2 server p4bench server --transport $1 --port $port $2
	server=$pid
	if ! await 60 answers $1; then
		failed locks $1 /tmp/server.log
		return
	fi
	echo 0 > /proc/lock_stat
	echo 1 > /proc/sys/kernel/lock_stat
	on h1 p4bench client --to $address:$port --transport $1 --threads $threads --count 500 \
		--warmup $warmup --timeout 200 -j > /tmp/result 2>&1 || failed locks $1 /tmp/result
	echo 0 > /proc/sys/kernel/lock_stat
	rpcs=$(($(member done) + threads * warmup))
	contentions | awk -v rpcs=$rpcs -v transport=$1 '
		$2 == "in" { printf "value locks contended %s %.4f\n", transport, $1 / rpcs; next }
		{ n = $1; $1 = ""; printf "  %s: %.4f of them%s\n", transport, n / rpcs, $0 }'
	kill -9 $server
	wait $server 2> /dev/null || true
	port=$((port + 1))
}

echo 0 > /sys/module/lockdep/parameters/prove_locking
echo off > /sys/kernel/debug/kmemleak	# it has a lock for all allocations
two_hosts
client_host=h1 address=10.0.0.2
run homa "--threads $threads"
run tcp ""
finish
