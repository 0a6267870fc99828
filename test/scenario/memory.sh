#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -c 1 -t 240
# files: build/test/guest/rpc
# Packets of a program that takes no messages: the memory they hold is charged to its socket and its
# control group, and ends at their limits; when the program goes on, every message comes whole.
. /lib/scenario.sh

total() {	# total NAME: at the server
	on h2 awk -v name="$1" '$1 == name { n += $2 } END { print n + 0 }' /proc/net/homa_metrics
}

held_kb() { awk '$1 == "HOMA" { print $4 * 4 }' /proc/net/protocols; }

between() {	# between WHAT LEAST VALUE MOST
	echo "$3, wanted $2 to $4" > /tmp/check.log
	[ "$3" -ge "$2" ] && [ "$3" -le "$4" ] && verdict 0 "$1" /tmp/check.log || verdict 1 "$1" /tmp/check.log
}

of_group() { awk -v name="$1" '$1 == name { print $2 }' /sys/fs/cgroup/server/memory.$2; }

send_many() {	# 30 MB; the region of the server has room for 32
	start_on h1 client rpc client --to 10.0.0.2:4000 --len 500000 --count 60 --parallel 60
	client=$pid
}

dropped() { echo $(($(total drop_rmem) + $(total dropped_data_no_bufs) - ${1:-0})); }

full() {	# full DROPPED: packets are dropped, and nothing has been taken for a second
	[ "$(dropped $1)" -gt 0 ] || return 1
	before=$(held_kb)
	sleep 1
	[ "$(held_kb)" = "$before" ]
}

# Accounts of sockets are kept by the CPU, and exact to 1 MB.
two_hosts
on h2 sysctl -q -w net.homa.rmem_max=8000000
start_server h2
kill -STOP $server
send_many
await 60 full 0
between 'KB held, where 8 MB may be' 5500 "$(held_kb)" 9500
kill -CONT $server
check 'all messages come when the program takes them' wait $client
stop_server 'each request ran once, no byte is wrong'
between 'KB left when the socket is gone' -1024 "$(held_kb)" 1024

on h2 sysctl -q -w net.homa.rmem_max=100000000
mount -t cgroup2 cgroup /sys/fs/cgroup
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/server
echo 16M > /sys/fs/cgroup/server/memory.max
echo $$ > /sys/fs/cgroup/server/cgroup.procs
start_server h2
echo $$ > /sys/fs/cgroup/cgroup.procs
kill -STOP $server
before=$(dropped)
send_many
await 60 full $before
between 'KB charged to a group of 16 MB' 14000 $(($(cat /sys/fs/cgroup/server/memory.current) / 1024)) 19000
between 'of them, for sockets' 8000 $(($(of_group sock stat) / 1024)) 19000
echo 80M > /sys/fs/cgroup/server/memory.max
kill -CONT $server
check 'all messages come when the group has memory' wait $client
equal 'nobody was killed' "$(of_group oom_kill events)" 0
stop_server 'and once'
finish
