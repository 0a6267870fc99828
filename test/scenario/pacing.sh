#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -i -t 120 -a 8021q,bonding
# files: build/bin/p4ctl build/test/guest/rpc
# Devices with a queue: messages wait in the pacer, or in the queueing discipline `homa` together with
# TCP; nothing is lost or stuck when queues and devices come and go. In virtual time, where a sender is always
# faster than the device.
. /lib/scenario.sh

number() { on h1 p4ctl stats --all "$1" | awk 'END { print $2 }'; }
rpcs() { on h1 rpc client --to ${1:-10.0.0.2}:4000 --len 100,20000,$long --count $count --parallel 8; }
queue() { on h1 tc qdisc "$@"; }
stats() { on h1 tc -s qdisc show dev eth0; }

count=16 long=300000,1000000 bytes=3000000 calls=40 slow=
two_hosts
if [ -e /sys/kernel/debug/kmemleak ]; then
	slow=1 count=2 long=100000 bytes=300000 calls=8
	on h1 sysctl -q -w net.homa.timeout_ticks=20000
	on h2 sysctl -q -w net.homa.timeout_ticks=20000
fi
start_server h2
check 'a device without a queue' rpcs
equal 'nothing waits for it' "$(number pacer_waits)" 0
queue add dev eth0 root pfifo limit 1000
check 'a device with a queue' rpcs
# a slow processor never gets ahead of the device
[ $slow ] || check 'messages waited for it' [ "$(number pacer_waits)" -gt 0 ]
equal 'no packet was dropped there' "$(stats | sed -n 's/.*dropped \([0-9]*\),.*/\1/p')" 0

start while-it-changes on h1 rpc client --to 10.0.0.2:4000 --len 100000 --count $calls --parallel 8
for n in 1 2 3; do
	queue replace dev eth0 root homa
	queue replace dev eth0 root pfifo limit 1000
	queue replace dev eth0 root tbf rate 1gbit burst 100k latency 50ms
	queue del dev eth0 root
done
check 'queues change meanwhile' wait $pid

queue add dev eth0 root homa
waits=$(number pacer_waits)
# its input never ends, else it would close the connection at once
start sink on h2 sh -c 'mkfifo /tmp/never; nc -l -p 5001 <> /tmp/never | wc -c'
sink=$pid
await 20 on h2 sh -c 'netstat -ltn | grep -q :5001'
start tcp on h1 sh -c "head -c $bytes /dev/zero | nc 10.0.0.2 5001"
tcp=$pid
check 'the discipline homa' rpcs
wait $tcp $sink
equal 'TCP through it' "$(cat /tmp/sink.log)" $bytes
equal 'the pacer stood aside' "$(number pacer_waits)" "$waits"
check 'it counts' [ "$(stats | awk '/^qdisc homa .* root/ { r = 1 } r && /Sent/ { print $2 }')" -gt $bytes ]
check 'it takes no options' sh -c '! ip netns exec h1 tc qdisc change dev eth0 root homa limit 3'
check 'its module stays' sh -c '! rmmod p4homa'

# eth0's queue is where they wait too: a VLAN on it, on a bond of it; where it has none, nothing waits
vlan() {	# vlan DEVICE ID
	for n in 1 2; do
		ip -n h$n link add link $1 name vlan$2 type vlan id $2
		ip -n h$n addr add 10.0.$2.$n/24 dev vlan$2
		ip -n h$n link set vlan$2 up
	done
}
waits() {	# waits WHAT ADDRESS
	waits=$(number pacer_waits)
	check "$1" rpcs $2
	[ $slow ] || check "$1: messages waited" [ "$(number pacer_waits)" -gt "$waits" ]
}
queue del dev eth0 root
vlan eth0 5
waits=$(number pacer_waits)
check 'a VLAN, no queue' rpcs 10.0.5.2
equal 'a VLAN, no queue: nothing waited' "$(number pacer_waits)" "$waits"
queue add dev eth0 root pfifo limit 1000
waits 'a VLAN' 10.0.5.2
for n in 1 2; do
	ip -n h$n link del vlan5
	ip -n h$n link add bond1 type bond mode active-backup
	ip -n h$n link set eth0 down
	ip -n h$n link set eth0 master bond1
	ip -n h$n link set bond1 up
	ip -n h$n addr add 10.0.6.$n/24 dev bond1
done
vlan bond1 7
await 20 on h1 ping -c 1 -W 1 10.0.7.2
queue replace dev eth0 root pfifo limit 1000
waits 'a bond' 10.0.6.2
waits 'a VLAN on a bond' 10.0.7.2
stop_server 'each request ran once, no byte is wrong'
start orphan on h1 rpc client --to 10.0.0.2:4000 --len 1000000 --count 8 --parallel 8
ip -n h1 link del eth0
kill $pid 2> /dev/null || true
wait $pid || true
check 'the module can be unloaded' await 20 rmmod p4homa
touch /run/leakscan
finish
