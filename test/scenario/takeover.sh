#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# only: soak
# guest: -k stock -d -t 900 -M 1536
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/bin/p4ycsb build/bin/p4trace build/bin/p4oracle /usr/bin/etcd build/p4db-20-4-256.spec:/lib/p4db.spec
# Two allocators share a switch by etcd. The one that works is killed, then the other one is stopped
# for longer than its lease, while two tenants take turns: the one that stands by goes on with their
# grants, at the same address, and both finish with every value right.
. /lib/scenario.sh

lease=3
small=4		# a look for the key, the election, reading the state; this guest has no real CPU

#   etcd 10.1.1.1, 10.1.2.1 ------ b1 10.1.1.2: allocator, or standby  ---[pa]
#                           ------ b2 10.1.2.2: standby, or allocator  ---[pb]  sw
beside() {	# beside N: the N-th allocator's line to etcd
	ip link add c$1 netns etcd type veth peer name etcd0 netns b$1
	ip -n etcd addr add 10.1.$1.1/24 dev c$1
	ip -n b$1 addr add 10.1.$1.2/24 dev etcd0
	ip -n etcd link set c$1 up
	ip -n b$1 link set etcd0 up
}

seconds() { cut -d' ' -f1 /proc/uptime; }

start_one() {	# start_one N: the N-th allocator
	start_on b$1 alloc$1 p4allocd -v --store etcd://10.1.$1.1:2379/rack --name sw1 \
		--lease $lease --address 10.0.0.254/24@eth0 --socket /run/alloc$1.sock
	eval "pid$1=$pid"
}

leads() { grep -q "allocator of sw1" /tmp/alloc$1.log; }
stands_by() { tail -n 1 /tmp/alloc$1.log | grep -q "standing by"; }
show() { p4ctl -j alloc show --allocd /run/alloc$leader.sock; }
grants() { show | tr -d ' \n' | grep -o '"grants":[0-9]*' | head -n 1 | cut -d: -f2; }
goes_on() { [ "$(grants)" -gt "$before" ]; }

taken_over() {	# taken_over WHAT FROM N: from then on until the Nth leads, and grants
	await 60 leads $3
	leader=$3
	took=$(echo "$(seconds) $2" | awk '{ printf "%.1f", $1 - $2 }')
	echo "  after $took s"
	verdict $(echo $took | awk -v most=$((lease + small)) '{ print ($1 > most) }') "$1" /dev/null
	before=0
	check 'and gives blocks to tenants' await 120 goes_on
}

ip netns add sw
ip netns add etcd
echo 1 | on sw tee /proc/sys/net/ipv6/conf/default/disable_ipv6 > /dev/null
rack_host h1 p1 10.0.0.1
rack_host h2 p2 10.0.0.2
rack_host b1 pa 10.0.0.251
rack_host b2 pb 10.0.0.252
on b2 p4ctl tenant del 1
on b2 p4ctl tenant del 2
beside 1
beside 2
ip -n etcd link set lo up
start_on sw p4switch p4switch --port p1 --port p2 --port pa --port pb --spec /lib/p4db.spec \
	--socket /run/p4switch.sock --max-nap 500
await 120 p4ctl switch show
start_on etcd etcd etcd --data-dir /run/etcd --listen-client-urls http://0.0.0.0:2379 \
	--advertise-client-urls http://10.1.1.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
	--initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380
start_one 1
await 120 leads 1 || { tail -n 5 /tmp/etcd.log /tmp/alloc1.log; exit 1; }
start_one 2
await 60 stands_by 2
check 'the other one stands by' stands_by 2
equal 'without the address' "$(ip -n b2 addr show | grep -c 10.0.0.254)" 0

make_trace 1 6000
make_trace 2 6000
start_node h1 1 8 3 30000000
one=$pid
start_node h2 2 8 3 30000000
two=$pid
leader=1
before=2
await 120 goes_on

from=$(seconds)
crash $pid1
taken_over 'after a kill the standby is there within the lease and a little' $from 2
equal 'tenants are those of both' "$(show | tr -d ' \n' | grep -o '"name":"ada"')" '"name":"ada"'

start_one 1
await 60 stands_by 1
from=$(seconds)
kill -STOP $pid2
taken_over 'likewise after a stop' $from 1
kill -CONT $pid2
check 'the one that was stopped stands by' await 60 stands_by 2
equal 'without the address' "$(ip -n b2 addr show | grep -c 10.0.0.254)" 0

finishes $one 'tenant 1 finishes' /tmp/node1.log
finishes $two 'tenant 2 finishes' /tmp/node2.log
check_history 1
check_history 2

stop $pid1 || true
from=$(seconds)
await 60 sh -c '[ $(grep -c "allocator of sw1" /tmp/alloc2.log) = 2 ]'
took=$(echo "$(seconds) $from" | awk '{ printf "%.1f", $1 - $2 }')
verdict $(echo $took | awk '{ print ($1 > 2) }') "one that ends is followed at once ($took s)" /dev/null
finish
