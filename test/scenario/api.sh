#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -t 120
# files: build/test/guest/api build/test/guest/api32 build/test/guest/waiting build/test/guest/unreachable
# The socket interface value by value, in both address families, for 64-bit and 32-bit programs; calls
# that wait; a protocol number that is taken.
. /lib/scenario.sh

ip link set lo up
for program in api api32; do
	check "$program over IPv4" $program 4
	check "$program over IPv6" $program 6
	check "$program over IPv4 from AF_INET6" $program mapped
done
ip link add d0 mtu 68 type dummy
ip addr add 192.0.2.1/24 dev d0
ip link set d0 up
ip link add d1 type veth peer name d2
for v in ipv4 ipv6; do
	sysctl -q -w net.$v.neigh.d1.mcast_solicit=1 net.$v.neigh.d1.retrans_time_ms=20
done
ip addr add 203.0.113.1/24 dev d1
ip addr add 2001:db8:1::1/64 dev d1 nodad
ip link set d2 up
ip link set d1 up
check 'hosts that cannot be reached' unreachable
sysctl -q -w net.homa.wmem_max=1000000 net.homa.resend_ticks=10000 net.homa.timeout_ticks=100000
check 'calls that wait' waiting
sysctl -q -w net.homa.wmem_max=100000000 net.homa.resend_ticks=5 net.homa.timeout_ticks=1000

other_module > /tmp/q4homa.ko
refused() { ! insmod "$1" 2> /tmp/insmod.log && grep -q 'busy' /tmp/insmod.log; }
check 'another module of this protocol is refused' refused /tmp/q4homa.ko
check 'the one that is there goes on' api 4
await 20 rmmod p4homa
equal 'nothing of it is left' "$(ls -d /proc/net/homa_metrics /proc/sys/net/homa 2> /dev/null)" ''
check 'the other one can have the protocol then' insmod /tmp/q4homa.ko
check 'and is not disturbed by the first' refused /lib/modules/p4homa.ko
check 'but works' api 4
await 20 rmmod q4homa
check 'and leaves nothing behind either' insmod /lib/modules/p4homa.ko
finish
