#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k x86 -t 300
# guest: -k backports -t 240
# files: build/test/guest/rpc
# The module is loaded and unloaded with RPCs in every state, and namespaces die with RPCs in them.
. /lib/scenario.sh

for round in 1 2 3; do
	two_hosts
	start_server h2
	start_on h1 client rpc client --to 10.0.0.2:4000 --len 500000 --count 100000 --parallel 8 --max-failed 100000
	client=$pid
	await 60 ip netns exec h1 grep -q . /proc/net/protocols
	sleep 1
	refused=0
	rmmod p4homa 2> /tmp/rmmod.log || refused=1
	equal "round $round: no unloading while sockets are open" $refused 1
	kill -9 $server $client
	wait $server $client || true
	ip netns del h1
	ip netns del h2
	check "round $round: unload after RPCs were cut off" await 60 rmmod p4homa
	check "round $round: load" insmod /lib/modules/p4homa.ko
done
rmmod p4homa
touch /run/leakscan
finish
