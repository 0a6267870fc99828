#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -t 300
# files: build/test/guest/rpc
# Long messages, each byte checked, whatever cuts or merges their packets on the way: no cutting,
# cutting before the device, merging behind it, a path that gets narrower while they are under way.
. /lib/scenario.sh

sizes=1,1424,1425,40000,40001,65536,1000000
few=1,1425,65536,1000000

# both COMMAND...: in both hosts
both() {
	on h1 "$@" && on h2 "$@"
}

offloads() {	# offloads FEATURE on|off ...
	both ethtool -K eth0 "$@" > /dev/null 2>&1
}

mtu() {
	ip -n h1 link set eth0 mtu $1
	ip -n h2 link set eth0 mtu $1
}

echo_all() {	# echo_all WHAT SIZES
	check "$1" on h1 rpc client --to 10.0.0.2:4000 --len $2 --count 3 --parallel 3
}

two_hosts
start_server h2
echo_all 'buffers pass whole' $sizes
mtu 9000
echo_all 'MTU 9000' $few
mtu 576
echo_all 'MTU 576' $few
mtu 1500
offloads gso off
echo_all 'one packet at a time' $few
offloads gso on tx-sctp-segmentation off
echo_all 'cut before the device' $sizes
offloads gro on
echo_all 'cut, and merged by the receiver' $sizes
mtu 576
echo_all 'cut and merged, MTU 576' $few
mtu 1500
offloads sg off
echo_all 'cut without scatter-gather' $few
offloads sg on gso on tx-sctp-segmentation on
both sysctl -q -w net.homa.tso=1
echo_all 'shaped like TCP, whole' $sizes
offloads tso off tx-sctp-segmentation off
echo_all 'shaped like TCP, cut' $sizes
both sysctl -q -w net.homa.tso=0
offloads tso on tx-sctp-segmentation on gro off
both sysctl -q -w net.homa.max_gso_size=10000
echo_all 'buffers of 10 KB' $few
both sysctl -q -w net.homa.max_gso_size=65536

# narrower and wider again, twice in each message or so
for turn in 1 2 3 4 5; do
	sleep 0.2
	mtu 1000
	sleep 0.2
	mtu 1500
done &
check 'MTU changes in flight' on h1 rpc client --to 10.0.0.2:4000 --len 100000,1000000 --count 60 \
	--parallel 4
wait $!
stop_server 'each request ran once, no byte is wrong'
finish
