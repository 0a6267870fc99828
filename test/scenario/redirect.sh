#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -i -t 120
# files: build/test/guest/rpc
# In virtual time: a router that knows a better first hop says so, and the packets of RPCs go that way
# from then on, also when the first router is gone. What it says of an RPC that is over counts nothing.
. /lib/scenario.sh

#   h1 [eth0 .1]---+
#   r1 [eth0 .2]---+--br0
#   r2 [eth0 .3]---+          [far 10.0.2.3]-----[10.0.2.4 eth0] h4
ip netns add lan
ip -n lan link add br0 type bridge
ip -n lan link set br0 up
for n in h1 r1 r2 h4; do
	ip netns add $n
	ip -n $n link set lo up
done
attach() {	# attach HOST NUMBER: its eth0 to the bridge
	ip link add eth0 netns $1 type veth peer name $1 netns lan
	ip -n lan link set $1 master br0 up
	ip -n $1 link set eth0 addrgenmode none
	ip -n $1 link set eth0 up
	ip -n $1 addr add 10.0.1.$2/24 dev eth0
	ip -n $1 -6 addr add fd00:1::$2/64 dev eth0 nodad
	ip -n $1 -6 addr add fe80::$2/64 dev eth0 nodad
}
for n in r1 r2; do
	on $n sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward
		echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
done
attach h1 1
attach r1 2
attach r2 3
ip link add far netns r2 type veth peer name eth0 netns h4
for n in 3:r2:far 4:h4:eth0; do
	at=${n#*:}
	ip -n ${at%:*} link set ${at#*:} up
	ip -n ${at%:*} addr add 10.0.2.${n%%:*}/24 dev ${at#*:}
	ip -n ${at%:*} -6 addr add fd00:2::${n%%:*}/64 dev ${at#*:} nodad
done
ip -n h4 route add default via 10.0.2.3
ip -n h4 -6 route add default via fd00:2::3
ip -n h1 route add default via 10.0.1.2
ip -n h1 -6 route add default via fe80::2 dev eth0
ip -n r1 route add default via 10.0.1.3
ip -n r1 -6 route add default via fe80::3 dev eth0

request() { on h1 rpc client --to "$1:4000" --inet6 --len 1,5000 --count 2; }
route() { ip -n h1 route get "$1" | grep -q "via $2"; }
# Both know each other's link address: so the first redirect is followed.
on h1 ping -c 1 10.0.1.3 > /dev/null
on h1 ping -c 1 fe80::3%eth0 > /dev/null
start_on h4 server rpc server --port 4000 --inet6
server=$pid

tc -n r1 qdisc add dev eth0 root netem delay 300ms
for to in 10.0.2.4 [fd00:2::4]; do
	start_on h1 brief rpc client --to $to:4000 --inet6 --len 1 --count 1
	sleep 0.2
	crash $pid 2> /dev/null
done
sleep 1
tc -n r1 qdisc del dev eth0 root
check 'of an RPC that is over, IPv4' route 10.0.2.4 10.0.1.2
check 'of an RPC that is over, IPv6' route fd00:2::4 fe80::2

check 'RPCs over the router that redirects' await 20 request 10.0.2.4
check 'over IPv6' await 20 request [fd00:2::4]
check 'it was believed' route 10.0.2.4 10.0.1.3
check 'over IPv6, too' route fd00:2::4 fe80::3
ip -n r1 link set eth0 down
check 'it is not needed any more' request 10.0.2.4
check 'nor over IPv6' request [fd00:2::4]
stop_server 'each request ran once, no byte is wrong'
finish
