#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -t 120
# files: build/test/guest/rpc
# A cable behind a router takes only shorter packets, and later still shorter ones. What the sender
# learns of it from ICMP ends no RPC; from then on its packets fit. What ICMP says of an RPC that is over,
# anybody could.
. /lib/scenario.sh

#   h1 [eth0 .1]-----[.254 r1] r [r2 .254]-----[.3 eth0] h3
for n in h1 r h3; do
	ip netns add $n
	ip -n $n link set lo up
done
ip link add eth0 netns h1 type veth peer name r1 netns r
ip link add eth0 netns h3 type veth peer name r3 netns r
for side in 1 3; do
	ip -n h$side link set eth0 up
	ip -n r link set r$side up
	ip -n h$side addr add 10.0.$side.$side/24 dev eth0
	ip -n r addr add 10.0.$side.254/24 dev r$side
	ip -n h$side -6 addr add fd00:$side::$side/64 dev eth0 nodad
	ip -n r -6 addr add fd00:$side::254/64 dev r$side nodad
	ip -n h$side route add default via 10.0.$side.254
	ip -n h$side -6 route add default via fd00:$side::254
done
on r sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'

start_on h3 server rpc server --port 4000 --inet6
server=$pid
for to in 10.0.3.3 [fd00:3::3]; do
	address=${to#[}
	address=${address%]}
	await 20 on h1 rpc client --to $to:4000 --inet6 --len 1 --count 1

	ip -n r link set r3 mtu 1300
	tc -n h1 qdisc add dev eth0 root netem delay 300ms
	start_on h1 brief rpc client --to $to:4000 --inet6 --len 1424 --count 1
	sleep 0.2
	crash $pid 2> /dev/null
	sleep 1
	tc -n h1 qdisc del dev eth0 root
	check "$to, nothing is learnt of an RPC that is over" \
		sh -c "! ip -n h1 route get $address | grep 'mtu 1300'"
	ip -n r link set r3 mtu 1500

	for mtu in 1500 1300; do
		ip -n r link set r3 mtu $mtu
		ip -n h3 link set eth0 mtu $mtu
		check "$to, MTU of the path $mtu" on h1 rpc client --to $to:4000 --inet6 \
			--len 1424,100000 --count 2
	done
	check "$to, the MTU was learnt" sh -c "ip -n h1 route get $address | grep 'mtu 1300'"
	ip -n r link set r3 mtu 1500
	ip -n h3 link set eth0 mtu 1500
done

# Others would go another way. (Of IPv6 the kernel looks for the way of others, in the same table.)
ip -n h1 link add elsewhere type dummy
ip -n h1 link set elsewhere up
ip -n h1 route add 10.0.3.0/24 dev elsewhere
ip -n r link set r3 mtu 1290
ip -n h3 link set eth0 mtu 1290
check 'of a socket that is bound to a device' on h1 rpc client --to 10.0.3.3:4000 --device eth0 \
	--len 1424,100000 --count 2
stop_server 'each request ran once, no byte is wrong'
finish
