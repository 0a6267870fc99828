#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -i -t 200
# files: build/test/guest/rpc build/test/guest/late
# In virtual time: how soon a lost packet is repaired, who fails when a peer is silent, what is left of
# delays of seconds, outages and restarts. Each request runs once. ROUNDS (1): how often, for soaking.
. /lib/scenario.sh

now_ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }

below() {	# below WHAT VALUE LIMIT
	echo "$2, limit $3" > /tmp/check.log
	[ "$2" -lt "$3" ] && verdict 0 "$1" /tmp/check.log || verdict 1 "$1" /tmp/check.log
}

client() { on h1 rpc client --to 10.0.0.2:4000 "$@"; }

p99() { sed -n 's/.* p99 \([0-9]*\) ns.*/\1/p' /tmp/rtt.log; }

knob() { for n in h1 h2; do on $n sysctl -q -w net.homa.$1; done; }

repair() {
	netem change delay 10us
	client --count 200 > /tmp/rtt.log
	netem change delay 10us loss 2%
	client --count 2000 > /tmp/rtt.log
	below 'a lost packet of 20 us there and back is repaired within 0.9 ms' "$(p99)" 900000
	client --count 300 --len 100000 > /tmp/rtt.log
	# the third of 300, each with a lost packet or two
	below 'and in messages of 70 packets' "$(p99)" 4000000
}

# Two clients that began at different times.
silence() {
	netem change delay 10us
	client > /dev/null
	tc -n h2 qdisc change dev eth0 root netem limit 1000 loss 100%
	for c in 1 2; do
		start_on h1 silent$c sh -c "rpc client --to 10.0.0.2:4000 --count 50 --parallel 50 \
			--max-failed 50; cut -d' ' -f1 /proc/uptime"
		eval pid$c=$pid
		sleep 0.4
	done
	wait $pid1 && wait $pid2 || true
	equal 'all RPCs of a silent peer end with ETIMEDOUT' \
		"$(cat /tmp/silent?.log | grep -c 'timed out')" 100
	end=$(tail -n 1 /tmp/silent2.log)
	below 'at the same time' "$(tail -n 1 /tmp/silent1.log |
		awk -v end="$end" '{ d = (end - $1) * 1000; print int(d < 0 ? -d : d) }')" 20
	netem change delay 10us
	check 'and new ones work when it is back' client
}

weather() {
	knob timeout_ticks=60000
	netem change delay 2000ms 1500ms duplicate 30%
	check 'delays of seconds, duplicates, reordering' client --len 100,5000,60000 --count 40 --parallel 20
	netem change delay 2000ms 1500ms duplicate 30% loss 10%
	check 'and loss' client --len 100,5000 --count 40 --parallel 20
	netem change delay 10us 50us duplicate 10% loss 30%
	check 'loss of 30 % on a short path' client --len 100,5000,100000 --count 40 --parallel 10
	netem change delay 10us
	sleep 10		# what was on its way
	knob timeout_ticks=1000
}

outage() {
	start long client --len 200000 --count 2000 --parallel 4
	long=$pid
	sleep 0.01
	ip -n h2 link set eth0 down
	sleep 0.5
	ip -n h2 link set eth0 up
	check 'the link goes down and comes up' wait $long
}

# The server holds requests that it has not taken. No more than ICMP errors may be sent at once.
closing() {
	kill -STOP $server
	start waiting client --count 5 --parallel 5 --max-failed 5
	waiting=$pid
	sleep 3
	began=$(now_ms)
	kill -9 $server
	wait $waiting
	below 'a server that ends tells its clients' $(($(now_ms) - began)) 100
	equal 'their requests have failed' "$(grep -c 'not connected' /tmp/waiting.log)" 5
}

# Hosts send few ICMP errors: six at once, then one a second. All requests are out before the first.
refused() {
	netem change delay 2ms
	began=$(now_ms)
	client --to 10.0.0.2:4999 --count 200 --parallel 200 --max-failed 200 > /tmp/refused.log 2>&1
	below 'a port that nobody has: all requests fail' $(($(now_ms) - began)) 100
	equal 'because they are not connected' "$(grep -c 'not connected' /tmp/refused.log)" 200
	netem change delay 10us
}

# A short outage takes the first of many requests, and later ones come before they are sent again.
overtaken() {
	client --to 10.0.0.2:4999 --count 1 --max-failed 1 > /dev/null 2>&1	# the neighbour is known now
	netem change delay 10us loss 100%
	start many client --count 5000 --parallel 5000
	many=$pid
	sleep 0.025
	netem change delay 10us loss 0%
	check 'requests that come first' client --count 10
	finishes $many 'leave 5000 earlier ones as they are' /tmp/many.log
}

# Somebody makes up requests in the client's name, whose host has not sent any to that server yet.
forged() {
	check 'a made-up request far ahead of all others' on h1 late 10.0.0.2:4000 +100000
	check 'does not make them look old' client --count 20 --parallel 4
	check 'one that is not so far ahead runs' on h1 late 10.0.0.2:4000 +8000
	for i in 1 2 3; do
		sleep 11
		check "and costs no other one, $i" client --count 10
	done
}

two_hosts
netem add delay 10us
round=0
while [ $round -lt "${ROUNDS:-1}" ]; do
	round=$((round + 1))
	start_server h2
	repair
	silence
	weather
	outage
	reboot h1 h2
	netem add delay 10us
	check 'a client that has started anew is served' client
	stop_server 'each request ran once, no byte is wrong'
	start_server h2
	refused
	closing
	reboot h2 h1
	netem add delay 10us
	start_server h2
	check 'a server that has started anew serves' client
	check 'packets of requests that nobody waits for' on h1 late 10.0.0.2:4000 4294967298 \
		8589934594 8589934594
	check 'do not disturb it' client
	stop_server 'and each request once'
	equal 'but none of those' "$(grep -o 'ran [0-9]* requests' /tmp/server.log)" 'ran 201 requests'
	reboot h1 h2
	netem add delay 10us
	start_server h2
	overtaken
	reboot h1 h2
	netem add delay 10us
	forged
	stop_server 'each request ran once'
done
finish
