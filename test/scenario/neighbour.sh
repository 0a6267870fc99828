#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -i -t 120
# files: build/test/guest/rpc
# In virtual time: while a host answers, nobody asks for its link address; when nothing of ours gets
# there any more, somebody does.
. /lib/scenario.sh

two_hosts
for n in 1 2; do
	ip -n h$n addr add fd00::$n/64 dev eth0 nodad
	for version in ipv4 ipv6; do
		on h$n sysctl -q -w net.$version.neigh.eth0.base_reachable_time_ms=200
		on h$n sysctl -q -w net.$version.neigh.eth0.delay_first_probe_time=1
	done
	start_on h$n neighbours$n ip monitor neigh
done
asked() { grep -E -c "^($2) .* PROBE" /tmp/neighbours$1.log || true; }	# asked HOST ADDRESSES: how often

rpc4() { on h1 rpc client --to 10.0.0.2:4000 --inet6 --len 100 --count 1 "$@"; }
rpc6() { on h1 rpc client --to [fd00::2]:4000 --inet6 --len 100 --count 1 "$@"; }

traffic() {	# two RPCs a second, and as many by IPv6, for three seconds
	for round in 1 2 3 4 5 6; do
		rpc4
		rpc6
		sleep 0.5
	done
}

start_on h2 server rpc server --port 4000 --inet6
server=$pid
await 10 rpc4
check 'RPCs now and then' traffic
equal 'the client does not ask for its server' "$(asked 1 '10.0.0.2|fd00::2')" 0
equal 'nor the server for its client' "$(asked 2 '10.0.0.1|fd00::1')" 0

# The client goes on asking for its response, as long as it knows where to.
address=$(on h2 cat /sys/class/net/eth0/address)
for to in 10.0.0.2 fd00::2; do
	ip -n h1 neigh replace $to dev eth0 lladdr $address nud permanent
done
on h1 sysctl -q -w net.homa.timeout_ticks=3000
tc -n h2 qdisc add dev eth0 root netem loss 100%
rpc4 --max-failed 1 > /dev/null 2>&1 &
rpc6 --max-failed 1 > /dev/null 2>&1 || true
wait $! || true
check 'a server does that hears of its client, but is not heard' \
	[ "$(asked 2 10.0.0.1)" -gt 0 -a "$(asked 2 fd00::1)" -gt 0 ]
tc -n h2 qdisc del dev eth0 root
check 'and then it is' await 20 rpc6
stop_server 'each request ran once, no byte is wrong'
finish
