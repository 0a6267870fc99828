# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what scenarios share; runs in a guest, as root, with the module loaded
#
# A scenario prints `ok SCENARIO WHAT` or `not ok SCENARIO WHAT` for each check; one that ends before
# its last line counts as failed too. Nothing waits for a fixed time where it can wait for an event,
# and limits are far above what an idle machine needs: guests stall when the host is busy.
set -eu
scenario=$(basename "$0" .sh)
started=
trap 'status=$?; [ "${finished:-}" ] || echo "not ok $scenario ends early, status $status"; kill_all' EXIT

finish() { finished=1; exit 0; }

verdict() {	# verdict STATUS WHAT LOG
	if [ "$1" = 0 ]; then
		echo "ok $scenario $2"
	else
		echo "not ok $scenario $2 (status $1)"
		sed 's/^/  /' "$3"
	fi
}

check() {	# check WHAT COMMAND...
	what=$1
	shift
	status=0
	"$@" > /tmp/check.log 2>&1 || status=$?
	verdict $status "$what" /tmp/check.log
}

equal() {	# equal WHAT GOT WANTED
	echo "got '$2', wanted '$3'" > /tmp/check.log
	[ "$2" = "$3" ] && verdict 0 "$1" /tmp/check.log || verdict 1 "$1" /tmp/check.log
}

start() {	# start NAME COMMAND...: in the background, output to /tmp/NAME.log, pid in $pid
	log=/tmp/$1.log
	shift
	"$@" > "$log" 2>&1 &
	pid=$!
	started="$started $pid"
}

stop() {	# stop PID: by SIGTERM; the status it ends with
	kill "$1" 2>/dev/null || true
	wait "$1"
}

crash() {	# crash PID...: without a chance to tidy up
	kill -9 "$@"
	wait "$@" || true
}

finishes() {	# finishes PID WHAT LOG: of its own accord, and well
	status=0
	wait "$1" || status=$?
	verdict $status "$2" "$3"
}

kill_all() {
	for p in $started; do
		kill -9 "$p" 2>/dev/null || true
	done
}

await() {	# await SECONDS COMMAND...: until it succeeds
	tries=$(($1 * 10))
	shift
	until "$@" > /tmp/await.log 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo "  gave up waiting for: $*"; sed 's/^/  /' /tmp/await.log; return 1; }
		sleep 0.1
	done
}

other_module() {	# a copy by another name, which stands for another module of the same protocol
	sed s/p4homa/q4homa/g /lib/modules/p4homa.ko
}

# ---------------------------------------------------------------- two hosts, one cable

#   h1 [eth0 10.0.0.1]-----[10.0.0.2 eth0] h2
two_hosts() {
	ip netns add h1
	ip netns add h2
	cable
}

cable() {
	ip link add eth0 netns h1 type veth peer name eth0 netns h2
	for n in 1 2; do
		ip -n h$n addr add 10.0.0.$n/24 dev eth0
		ip -n h$n link set lo up
		ip -n h$n link set eth0 up
	done
}

reboot() {	# reboot HOST OTHER
	ip netns del "$1"
	ip netns add "$1"
	ip -n "$2" link del eth0 2> /dev/null || true	# else it goes a moment later
	cable
}

netem() {	# netem COMMAND OPTION...: at both ends of the cable, as in `tc qdisc COMMAND`
	command=$1
	shift
	for n in h1 h2; do
		tc -n $n qdisc "$command" dev eth0 root netem limit 100000 "$@"
	done
}

on() {		# on HOST COMMAND...
	host=$1
	shift
	ip netns exec "$host" "$@"
}

start_on() {	# start_on HOST NAME COMMAND...
	h=$1 name=$2
	shift 2
	start "$name" ip netns exec "$h" "$@"
}

start_server() {	# start_server HOST: an RPC echo; returns when it serves
	start_on "$1" server rpc server --port 4000
	server=$pid
	await 60 on "$1" rpc client --to 127.0.0.1:4000 --len 1 --count 1
}

stop_server() {	# it says whether a request ran twice or had a wrong byte
	check "$1" stop "$server"
	tail -n 2 /tmp/server.log | sed 's/^/  /'
}

# ---------------------------------------------------------------- a rack

#   h1 10.0.0.1 ---[p1]
#   h2 10.0.0.2 ---[p2]  sw: p4switch, 4 blocks of 64 slots in 20 registers
#   alloc 10.0.0.254 ---[pa]    p4allocd, its control socket beside
rack_host() {	# rack_host NAME PORT ADDRESS
	ip netns add "$1"
	ip link add "$2" netns sw type veth peer name eth0 netns "$1"
	ip -n "$1" addr add "$3/24" dev eth0
	ip -n "$1" link set lo up
	ip -n "$1" link set eth0 up
	ip -n sw link set "$2" up
	# p4switch sees packets as they are in memory: all of a packet, with its checksums
	on "$1" ethtool -K eth0 tx off rx off tso off gso off gro off > /dev/null
	on "$1" p4ctl geometry set registers 20 blocks 4 flows 256 dependent "${dependent:-0}"
	on "$1" p4ctl policy set allocator 10.0.0.254 lease-max 60s grace "${grace:-30s}"
	on "$1" p4ctl tenant add 1 name ada uid 1001
	on "$1" p4ctl tenant add 2 name bob uid 1002
}

rack() {
	ip netns add sw
	echo 1 | on sw tee /proc/sys/net/ipv6/conf/default/disable_ipv6 > /dev/null
	rack_host h1 p1 10.0.0.1
	rack_host h2 p2 10.0.0.2
	rack_host alloc pa 10.0.0.254
	start_switch
}

start_switch() {
	start_on sw p4switch p4switch --port p1 --port p2 --port pa --spec /lib/p4db.spec \
		--socket /run/p4switch.sock --max-nap "${nap:-500}" ${switch_options:-}
	switch=$pid
	await 120 p4ctl switch show
}

start_allocator() {	# start_allocator [OPTION...]
	start_on alloc p4allocd p4allocd -v --store /run/p4allocd.db "$@"
	allocator=$pid
	await 120 allocator_says '"switch":"up"'
}

ask_allocator() { on alloc p4ctl -j alloc show; }

allocator_says() { ask_allocator | tr -d ' \n' | grep -q "$1"; }

outlive_switch() {	# outlive_switch HOST...: packets are sent again until one that restarts is there
	for h; do
		on $h sh -c 'echo 60000000 > /proc/sys/net/homa/txn_timeout_us'
	done
}

make_trace() {	# make_trace TENANT TRANSACTIONS: of one node, in /tmp/tTENANT
	mkdir -p /tmp/t$1
	p4trace --out /tmp/t$1 --keys 10000 --txns $2 --seed $1 --nodes 1
	chown -R 100$1 /tmp/t$1
}

start_node() {	# start_node HOST TENANT BATCHES BLOCKS DURATION_US: one that is a whole tenant
	start_on "$1" "node$2" setpriv --reuid 100$2 --regid 100$2 --clear-groups p4ycsb --tenant $2 \
		--node 0 --peers "$(address_of "$1"):5000" --keys 10000 --batches $3 --want-blocks $4 \
		--duration-us $5 --trace /tmp/t$2/node0.trace --counts /tmp/t$2/keys.count \
		--history /tmp/t$2/node0.history --summary /tmp/t$2/node0.json
}

address_of() { echo "10.0.0.${1#h}"; }

node_is() {	# node_is TENANT PHASE: that of its last line of progress
	tail -n 1 /tmp/node$1.log | grep -q " $2 "
}

check_history() {	# check_history TENANT: the oracle's word on it
	check "oracle: tenant $1" p4oracle --trace /tmp/t$1/node0.trace /tmp/t$1/node0.history
	sed 's/^/  /' /tmp/check.log
}
