#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -M 1024 -t 500
# files: build/test/guest/rpc build/test/guest/inject
# A hostile host sends malformed, changed and repeated packets to a busy one, in the name of a client
# that has RPCs there. Whatever happens to that client's RPCs: others do not notice, the kernel
# reports nothing, and nothing is left behind.
. /lib/scenario.sh
packets=${PACKETS:-15000}
seed=${SEED:-1}

#   h1 10.0.0.1 ----- 10.0.0.2 h2 10.0.1.2 ----- 10.0.1.3 h3
two_hosts
ip netns add h3
ip link add eth1 netns h2 type veth peer name eth0 netns h3
ip -n h2 addr add 10.0.1.2/24 dev eth1
ip -n h3 addr add 10.0.1.3/24 dev eth0
ip -n h2 link set eth1 up
ip -n h3 link set lo up
ip -n h3 link set eth0 up
ip -n h1 addr add fd00::1/64 dev eth0 nodad
ip -n h2 addr add fd00::2/64 dev eth0 nodad

busy() {	# a client's RPCs, until the file is gone; they may fail, but not for ever
	while [ -e /tmp/busy ]; do
		on h1 timeout 60 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 --count 30 \
			--parallel 8 --max-failed 30 > /tmp/victim.log 2>&1 || true
	done
}

start_on h2 victim rpc server --port 4000 --unchecked
victim=$pid
start_on h2 server rpc server --port 4001
server=$pid
await 60 on h3 rpc client --to 10.0.1.2:4001 --len 1 --count 1
touch /tmp/busy
busy &
start_on h1 inject1 inject --to 10.0.0.2 --device eth0 --count "$packets" --seed "$seed" --spare 4001
to_server=$pid
start_on h2 inject2 inject --to 10.0.0.1 --device eth0 --count "$packets" --seed "$((seed + 1))"
to_client=$pid
start_on h1 inject3 inject --to fd00::2 --device eth0 --count "$packets" --seed "$((seed + 2))" --spare 4001
to_v6=$pid
check 'a host that has nothing to do with it works' on h3 rpc client --to 10.0.1.2:4001 \
	--len 100,5000,100000,1000000 --count 25 --parallel 4
check 'packets to a server' wait $to_server
check 'packets to a client' wait $to_client
check 'packets over IPv6' wait $to_v6
cat /tmp/inject?.log | grep refused | sed 's/^/  /'
rm /tmp/busy
check 'nobody ran a request twice or saw a wrong byte' stop $server
check 'the server is alive' kill -0 $victim
kill $victim
wait $victim || true
start_server h2
# Its first ones may fail: with its ids, many that it will draw have been used up.
await 20 on h1 rpc client --to 10.0.0.2:4000 --count 1
check 'the victim works again' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 --count 20 --parallel 4
stop_server 'each request ran once, no byte is wrong'
finish
