#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -t 120
# files: build/test/guest/rpc
# IPv6 between two hosts, IPv4 on the same AF_INET6 sockets, paths that become narrower.
. /lib/scenario.sh

sizes=1,100,1404,1405,40000,300000

serve6() {	# serve6 HOST: an echo for both versions; returns when it serves
	start_on "$1" server rpc server --port 4000 --inet6
	server=$pid
	await 60 on "$1" rpc client --to [::1]:4000 --inet6 --len 1 --count 1
}

two_hosts
for n in 1 2; do
	ip -n h$n addr add fd00::$n/64 dev eth0 nodad
	on h$n sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad'
done
serve6 h2
check 'IPv6, all sizes' on h1 rpc client --to [fd00::2]:4000 --inet6 --len $sizes --count 3
check 'IPv6, many at once' on h1 rpc client --to [fd00::2]:4000 --inet6 --len 100,20000 --count 40 \
	--parallel 20
check 'IPv6, loopback' on h2 rpc client --to [::1]:4000 --inet6 --len $sizes --count 2
check 'v4-mapped from an AF_INET6 socket' on h1 rpc client --to 10.0.0.2:4000 --inet6 --len $sizes --count 3
check 'IPv4 from an AF_INET socket' on h1 rpc client --to 10.0.0.2:4000 --len $sizes --count 3
link_local=$(ip -n h2 -6 addr show dev eth0 scope link | sed -n 's/.*inet6 \([^/]*\).*/\1/p')
await 10 on h1 rpc client --to [$link_local%eth0]:4000 --inet6 --len 1 --count 1
check 'link-local' on h1 rpc client --to [$link_local%eth0]:4000 --inet6 --len $sizes --count 3
stop_server 'each request ran once, no byte is wrong'
finish
