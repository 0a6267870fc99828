#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A rack in network namespaces: one switch, an allocator, two tenants with two nodes each. The nodes
# run their traces; then the oracle looks at what they did. Needs root and the module loaded.
#
#   h1 10.0.0.1  tenant 1 node 0 ---[p1]
#   h2 10.0.0.2  tenant 1 node 1 ---[p2]   sw: p4switch
#   h3 10.0.0.3  tenant 2 node 0 ---[p3]
#   h4 10.0.0.4  tenant 2 node 1 ---[p4]
#   alloc 10.0.0.254  p4allocd   ---[pa]---(control socket)--- p4switch
#
# The switch has 4 blocks and each tenant wants 3, so they can hold them in turn only.
# Last line: `demo: ok`, status 0; or `demo: FAILED: WHY`, status 1. CORRUPT=1 alters one cell of the
# switch on the way, which the oracle must find.
set -u

: "${BIN:=$(cd "$(dirname "$0")/../../build/bin" && pwd)}"
: "${SPEC:=$BIN/../p4db-20-4-256.spec}"
: "${OUT:=/tmp/p4demo}"		# traces, histories, summaries, blocks.dat
: "${TXNS:=10000}"		# of each node
: "${BATCHES:=6}"
: "${KEYS:=1000000}"
: "${SECONDS_MAX:=270}"		# for the nodes
: "${CORRUPT:=}"
REGISTERS=20 BLOCKS=4 FLOWS=256 WANT=3 NODE_FLOWS=32
SWITCH=$OUT/p4switch.sock ALLOCD=$OUT/p4allocd.sock
PATH=$BIN:$PATH:/sbin:/usr/sbin
hosts='h1 h2 h3 h4 alloc'
started= nodes= bad=

fail()
{
	echo "demo: FAILED: $*"
	exit 1
}

clean_up()
{
	trap - EXIT INT TERM
	# shellcheck disable=SC2086
	[ -z "$started" ] || kill $started 2>/dev/null
	wait
	for ns in $hosts sw; do
		ip netns del "$ns" 2>/dev/null
	done
	rm -f "$SWITCH" "$ALLOCD"
}

# start LOG COMMAND...: in the background, to be stopped in the end
start()
{
	log=$1
	shift
	"$@" >"$log" 2>&1 &
	started="$started $!"
}

await()		# await SOCKET WHAT LOG: until what was started last listens
{
	tries=0
	until [ -S "$1" ]; do
		tries=$((tries + 1))
		kill -0 $! 2>/dev/null && [ $tries -lt 300 ] || { cat "$3"; fail "$2 does not start"; }
		sleep 0.1
	done
}

add_host()	# add_host NAMESPACE SWITCH_PORT ADDRESS
{
	ip netns add "$1" &&
	ip link add "$2" netns sw type veth peer name eth0 netns "$1" &&
	ip -n "$1" addr add "$3/24" dev eth0 &&
	ip -n "$1" link set lo up &&
	ip -n "$1" link set eth0 up &&
	ip -n sw link set "$2" up &&
	# p4switch sees packets as they are in memory: all of a packet, with its checksums
	ip netns exec "$1" ethtool -K eth0 tx off rx off tso off gso off gro off >/dev/null
}

configure()	# configure NAMESPACE: what the module must know there
{
	ip netns exec "$1" p4ctl geometry set registers $REGISTERS blocks $BLOCKS flows $FLOWS &&
	ip netns exec "$1" p4ctl policy set allocator 10.0.0.254 lease-max 60s grace 30s &&
	ip netns exec "$1" p4ctl tenant add 1 name ada uid 1001 &&
	ip netns exec "$1" p4ctl tenant add 2 name bob uid 1002
}

build_rack()
{
	ip netns add sw || return 1
	echo 1 | ip netns exec sw tee /proc/sys/net/ipv6/conf/default/disable_ipv6 >/dev/null
	add_host h1 p1 10.0.0.1 && add_host h2 p2 10.0.0.2 && add_host h3 p3 10.0.0.3 &&
	add_host h4 p4 10.0.0.4 && add_host alloc pa 10.0.0.254 || return 1
	for ns in $hosts; do
		configure $ns || return 1
	done
}

make_traces()	# for each tenant in a directory of its own
{
	for t in 1 2; do
		mkdir -p "$OUT/t$t" &&
		p4trace --out "$OUT/t$t" --keys "$KEYS" --txns "$TXNS" --seed $t --nodes 2 &&
		chown -R 100$t "$OUT/t$t" || return 1
	done
}

start_node()	# start_node NAMESPACE TENANT NODE PEERS; as the tenant's user, not as root
{
	dir=$OUT/t$2
	start "$dir/node$3.log" ip netns exec "$1" setpriv --reuid 100$2 --regid 100$2 --clear-groups \
		p4ycsb --tenant $2 --node $3 --peers $4 --keys "$KEYS" --batches "$BATCHES" \
		--want-blocks $WANT --flows $NODE_FLOWS --duration-us 30000000 \
		--trace "$dir/node$3.trace" --counts "$dir/keys.count" \
		--history "$dir/node$3.history" --summary "$dir/node$3.json"
	nodes="$nodes $!"
}

node_line()	# node_line TENANT NODE: where it is, from its last line of progress
{
	# shellcheck disable=SC2046
	set -- $1 $2 $(tail -n 1 "$OUT/t$1/node$2.log")
	if [ $# -ge 17 ] && [ "$3" = p4ycsb ]; then
		printf ' | %s.%s batch %s %-5s %5s' $1 $2 "${11}" "${13}" "${15}"
	else
		printf ' | %s.%s starting              ' $1 $2
	fi
}

# True while all nodes that have ended have ended well and some have not ended.
running()
{
	alive=
	for pid in $nodes; do
		if kill -0 "$pid" 2>/dev/null; then
			alive="$alive $pid"
		else
			wait "$pid" || bad=1
		fi
	done
	nodes=$alive
	[ -n "$nodes" ] && [ -z "$bad" ]
}

watch_nodes()
{
	began=$(uptime_s)
	while running; do
		now=$(($(uptime_s) - began))
		[ $now -le "$SECONDS_MAX" ] || fail "the nodes are not done after $SECONDS_MAX s"
		printf 'demo: %3s s' $now
		for t in 1 2; do
			node_line $t 0
			node_line $t 1
		done
		echo
		sleep 3
	done
}

uptime_s()
{
	read -r up _ </proc/uptime
	echo "${up%.*}"
}

show_why()	# what everybody had to say, when a node has failed
{
	for t in 1 2; do
		for n in 0 1; do
			grep -v '^p4ycsb tenant' "$OUT/t$t/node$n.log"
		done
	done
	cat "$OUT/p4allocd.log" "$OUT/p4switch.log"
}

ask_oracle()	# both tenants, even if the first has faults
{
	faults=0
	for t in 1 2; do
		p4oracle --trace "$OUT/t$t/node0.trace" --trace "$OUT/t$t/node1.trace" \
			"$OUT/t$t/node0.history" "$OUT/t$t/node1.history" || faults=1
	done
	return $faults
}

trap clean_up EXIT
trap 'fail interrupted' INT TERM
mkdir -p "$OUT" || fail "$OUT cannot be made"
echo "demo: rack of one switch with $BLOCKS blocks of 64 slots x $REGISTERS registers, 4 hosts," \
	"2 tenants that want $WANT blocks each"
build_rack || fail 'the rack cannot be built'
make_traces || fail 'the traces cannot be made'
echo "demo: traces of $TXNS transactions a node are in $OUT/t1 and $OUT/t2, for example:"
sed -n 2p "$OUT/t1/node0.trace"

start "$OUT/p4switch.log" ip netns exec sw p4switch --port p1 --port p2 --port p3 --port p4 \
	--port pa --spec "$SPEC" --socket "$SWITCH"
await "$SWITCH" p4switch "$OUT/p4switch.log"
start "$OUT/p4allocd.log" ip netns exec alloc p4allocd --switch "$SWITCH" --socket "$ALLOCD" \
	--store "$OUT/p4allocd.db" -v
await "$ALLOCD" p4allocd "$OUT/p4allocd.log"
start_node h1 1 0 10.0.0.1:5000,10.0.0.2:5000
start_node h2 1 1 10.0.0.1:5000,10.0.0.2:5000
start_node h3 2 0 10.0.0.3:5000,10.0.0.4:5000
start_node h4 2 1 10.0.0.3:5000,10.0.0.4:5000
[ -z "$CORRUPT" ] ||
	start "$OUT/p4corrupt.log" p4corrupt --switch "$SWITCH" --allocd "$ALLOCD" --tenant 1
watch_nodes
[ -z "$bad" ] || { show_why; fail 'a node could not run its trace, see above'; }

p4report --allocd "$ALLOCD" --data "$OUT/blocks.dat" --expect-txns 5000 --expect-batches 3 \
	--expect-handovers 3 --expect-hot 50 "$OUT"/t[12]/node[01].json >"$OUT/report"
met=$?
cat "$OUT/report"
echo
[ -z "$CORRUPT" ] || cat "$OUT/p4corrupt.log"
if ask_oracle; then
	[ -z "$CORRUPT" ] || fail 'one value was altered, but the oracle found nothing'
else
	[ -z "$CORRUPT" ] || fail 'the oracle found the value that CORRUPT=1 altered'
	fail 'the oracle found wrong values'
fi
[ $met = 0 ] || fail 'the rack did not do what it should, see above'
echo 'demo: ok'
