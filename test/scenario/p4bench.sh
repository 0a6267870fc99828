#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# p4bench.sh - p4bench measures over each transport; its figures are judged by their limits
# guest: -k um -M 512 -t 200
# files: build/bin/p4bench test/bench/figures.awk:/lib/figures.awk test/bench/limits:/lib/limits
. /lib/scenario.sh

port=4000
client() {	# client TRANSPORT ADDRESS OPTION...
	t=$1 a=$2
	shift 2
	on h1 p4bench client --transport $t --to $a:$port --count 20 --warmup 3 --timeout 30 "$@"
}

serve() {	# serve OPTION...
	port=$((port + 1))
	start_on h2 server p4bench server --port $port "$@"
	server=$pid
}

counted() {	# counted TRANSPORT LEN: of the 20 and more that were done, each has a round trip
	await 60 client $1 10.0.0.2 --count 1 --warmup 1 --timeout 5 || return 1
	client $1 10.0.0.2 --len $2 --samples /tmp/samples -j > /tmp/json || return 1
	cat /tmp/json
	grep -q "\"transport\":\"$1\",\"len\":$2,\"reply\":$2,.*\"done\":20,\"p50_ns\":[1-9]" /tmp/json &&
		[ "$(wc -l < /tmp/samples)" = 20 ]
}

has_failed() { ! stop $held && grep -q ' 2 of them have failed' /tmp/hold.log; }
no_server() { ! client tcp 10.0.0.2; }

two_hosts
serve --transport tcp
check "tcp" counted tcp 200000
check "tcp: senders beside, more threads" client tcp 10.0.0.2 --beside 2:50000 --threads 2
check "tcp: several outstanding" client tcp 10.0.0.2 --outstanding 5 --len 70000 --reply 16
kill -9 $server
serve --transport tcp --epoll
check "tcp: epoll on both sides" counted tcp 100
check "tcp: epoll, long messages" client tcp 10.0.0.2 --outstanding 4 --len 300000 --epoll
serve --transport tcp --epoll --threads 3
check "tcp: threads on one epoll set" await 30 client tcp 10.0.0.2 --threads 5 --len 300000
serve --transport udp
check "udp" counted udp 1000
serve --threads 3
check "homa" counted homa 200000
check "homa: senders beside, more threads" client homa 10.0.0.2 --beside 2:50000 --threads 2
check "homa: several outstanding, longer replies" client homa 10.0.0.2 --outstanding 5 --reply 70000
serve --ports 3 --threads 2
check "homa: a port for each thread" await 30 client homa 10.0.0.2 --ports 3 --threads 3 --outstanding 2
port=$((port + 2))
serve --threads 3 --batch 10
bundled() {	# bundled OPTION...: with messages that share buffers on both sides
	before=$(count h1)+$(count h2)
	client homa 10.0.0.2 --outstanding 20 --batch 10 --count 50 "$@" &&
		[ "$(count h1)" -gt "${before%+*}" ] && [ "$(count h2)" -gt "${before#*+}" ]
}
count() { on $1 cat /proc/net/homa_metrics | awk '$1 == "bundled_packets" { print $2 }'; }
check "homa: batches" bundled
check "homa: batches of full packets" bundled --len 1400
check "homa: batches of long messages" client homa 10.0.0.2 --outstanding 20 --batch 10 --len 5000
on h1 ethtool -K eth0 tx off tso off gso off sg off > /dev/null
check "homa: batches, cut into frames" bundled
start_on h1 hold p4bench hold --to 10.0.0.2:$port --count 50
held=$pid
await 60 grep -q 'holds 50' /tmp/hold.log
check "homa: round trips beside held RPCs" client homa 10.0.0.2
check "homa: held RPCs do not fail" stop $held
start_on h1 hold p4bench hold --to 10.0.0.9:$port --count 2
held=$pid
await 60 grep -q 'holds 2' /tmp/hold.log
sleep 5		# nobody is there
check "homa: held RPCs that fail are counted" has_failed
port=4999
check "a server that is not there is an error" no_server

# the last field of `bench:` lines says whether a limit is met
judged() {	# judged LINE... WANTED, of the first line with a limit
	eval wanted=\${$#}
	printf '%s\n' "$@" | awk -f /lib/figures.awk -v dir=/tmp /lib/limits - > /tmp/judged
	cat /tmp/judged
	[ "$(awk '/ must [<>]= / { print $NF; exit }' /tmp/judged)" = "$wanted" ]
}
slow='raw veth-rpc100 homa 9 900 1 1 1' tcp='raw veth-rpc100 tcp 9 1000 1 1 1'
check "figures: at its limit" judged "$slow" "$tcp" ok
check "figures: above it" judged 'raw veth-rpc100 homa 9 902 1 1 1' "$tcp" short
check "figures: another limit on virtio" judged 'raw virtio-rpc100 homa 9 700 1 1 1' \
	'raw virtio-rpc100 tcp 9 1000 1 1 1' short
check "figures: at least" judged 'raw lo-rate tcp 9 1 1 1000 1' 'raw lo-rate homa 9 1 1 1300 1' ok
check "figures: too few" judged 'raw lo-rate tcp 9 1 1 1000 1' 'raw lo-rate homa 9 1 1 1298 1' short
check "figures: absolute" judged 'value scale-rpc memory homa 1025' short
printed() { echo 'value new contended homa 7' | awk -f /lib/figures.awk -v dir=/tmp /lib/limits - | grep -qx "$1"; }
check "figures: without a limit" printed 'bench: new-homa 7 /RPC'
finish
