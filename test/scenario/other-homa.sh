#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -i -t 200
# files: build/test/guest/rpc build/test/guest/other-homa
# Every byte that we say to another implementation of Homa, and that we understand it. h2 is that host:
# its kernel has no address.
. /lib/scenario.sh

two_hosts
ip -n h2 addr flush dev eth0
on h2 ip link set eth0 arp off
for n in 1 2; do
	on h$n ethtool -K eth0 tx off sg off tso off gso off gro off > /dev/null
done
mac_of() { ip -n $1 link show eth0 | sed -n 's/.*ether \([^ ]*\).*/\1/p'; }
ip -n h1 neigh replace 10.0.0.2 lladdr "$(mac_of h2)" nud permanent dev eth0
start_on h1 echo rpc server --port 4000 --unchecked
await 20 on h1 rpc client --to 127.0.0.1:4000 --len 1 --count 1
check 'a client of another implementation' on h2 other-homa eth0 "$(mac_of h1)" client
start_on h2 other other-homa eth0 "$(mac_of h1)" server
other=$pid
await 20 grep ready /tmp/other.log
check 'requests to a server of another implementation' on h1 rpc client --to 10.0.0.2:5000 --len 9000 --count 3
check 'as that server sees them' wait $other
sed 's/^/  /' /tmp/other.log
finish
