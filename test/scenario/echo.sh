#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -t 300
# guest: -k um -t 200
# guest: -k backports -t 300
# files: build/test/guest/rpc
# RPCs of all sizes between two hosts and on loopback, no tuning; then everything goes away.
. /lib/scenario.sh

sizes=1,2,100,1400,1460,1500,8000,40000,60000,65536,200000,999999,1000000

count=5
two_hosts
start_server h2
if [ -e /sys/kernel/debug/kmemleak ]; then
	# all checkers on, emulated: 12 MB under way take seconds, in which a second's silence is no death
	count=2
	on h1 sysctl -q -w net.homa.timeout_ticks=20000
	on h2 sysctl -q -w net.homa.timeout_ticks=20000
fi
check 'veth, all sizes' on h1 rpc client --to 10.0.0.2:4000 --len $sizes --count $count
check 'veth, many at once' on h1 rpc client --to 10.0.0.2:4000 --len 100,20000,300000 --count 60 \
	--parallel 20
check 'loopback, all sizes' on h2 rpc client --to 127.0.0.1:4000 --len $sizes --count $count
on h1 ip link set eth0 mtu 9000
on h2 ip link set eth0 mtu 9000
check 'veth, MTU 9000' on h1 rpc client --to 10.0.0.2:4000 --len 100,8000,1000000 --count $count
on h1 ip link set eth0 mtu 576
on h2 ip link set eth0 mtu 576
check 'veth, MTU 576' on h1 rpc client --to 10.0.0.2:4000 --len 100,8000,300000 --count $count
on h1 ethtool -K eth0 tx off tso off gso off gro off sg off > /dev/null
check 'veth, no offloads' on h1 rpc client --to 10.0.0.2:4000 --len 100,8000,300000 --count $count
stop_server 'each request ran once, no byte is wrong'
ip netns del h1
ip netns del h2
check 'the module can be unloaded' rmmod p4homa
touch /run/leakscan
finish
