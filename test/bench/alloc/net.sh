#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# net.sh ROW... - in the guest of `make bench-alloc`: rows over the real transport
. /lib/scenario.sh

row() {		# row NAME VALUE UNIT [LEAST|MOST LIMIT]
	awk -v name="$1" -v v="$2" -v unit="$3" -v how="${4-}" -v limit="${5-}" 'BEGIN {
		printf "bench: %s %.6g %s", name, v, unit
		if (how != "")
			printf " must %s %s %s", how, limit, (how == "<=" ? v <= limit : v >= limit) ? "ok" : "short"
		print ""
	}'
}

over() { awk -v a="$1" -v b="$2" 'BEGIN { print a / b }'; }

# ---------------------------------------------------------------- locks, beside Redis and etcd

# A client in h1, servers in h2, one after the other; all keep what they know in memory.
cycle() {	# cycle NAME OUTSTANDING COUNT SERVER...: nanoseconds of a lock and its unlock
	name=$1 outstanding=$2 count=$3
	shift 3
	on h1 bench-net-locks "$@" $outstanding $count > /tmp/cycle 2> /tmp/cycle.log ||
		{ echo "failed net-locks-$name"; cat /tmp/cycle.log; return 1; }
	eval "ns_$(echo $name | tr - _)=$(cat /tmp/cycle)"
	row net-locks-$name $(cat /tmp/cycle) ns
}

net_locks() {
	two_hosts
	for h in h1 h2; do
		on $h p4ctl geometry set registers 20 blocks 4 flows 256
		on $h p4ctl policy set allocator 10.0.0.2 lease-max 60s
		on $h p4ctl tenant add 1 name ada uid 1001
	done
	start_on h2 p4allocd p4allocd --store /run/p4allocd.db
	await 60 on h2 p4ctl -j alloc show
	cycle p4alloc 1 1000 p4a 1
	cycle p4alloc-16 16 4000 p4a 1
	stop $pid
	start_on h2 redis redis-server --port 6379 --bind 10.0.0.2 --protected-mode no --save '' \
		--appendonly no --dir /tmp
	await 60 on h1 bench-net-locks redis 10.0.0.2 6379 1 1
	cycle redis 1 1000 redis 10.0.0.2 6379
	cycle redis-16 16 4000 redis 10.0.0.2 6379
	kill -9 $pid
	start_on h2 etcd etcd --data-dir /tmp/etcd --listen-client-urls http://10.0.0.2:2379 \
		--advertise-client-urls http://10.0.0.2:2379 --listen-peer-urls http://127.0.0.1:2380
	await 120 on h1 bench-net-locks etcd 10.0.0.2 2379 1 1
	cycle etcd 1 200 etcd 10.0.0.2 2379
	cycle etcd-16 16 400 etcd 10.0.0.2 2379
	kill -9 $pid
	rm -f /run/p4allocd.db*
	row net-locks-redis/p4alloc $(over $ns_redis $ns_p4alloc) ratio '>=' 2
	row net-locks-redis/p4alloc-16 $(over $ns_redis $ns_p4alloc_16) ratio '>=' 2
	row net-locks-redis-16/p4alloc-16 $(over $ns_redis_16 $ns_p4alloc_16) ratio
	row net-locks-etcd/p4alloc $(over $ns_etcd $ns_p4alloc) ratio
	row net-locks-etcd-16/p4alloc-16 $(over $ns_etcd_16 $ns_p4alloc_16) ratio
	ip netns del h1
	ip netns del h2
}

# ---------------------------------------------------------------- locks in the switch

# A host's lock and unlock in a rack whose switch polls: of names that are never used often, which the
# allocator holds, and of one that is, which has a cell. Packets of both ways pass p4switch.
locks_of() {	# locks_of ROW OPTION...
	name=$1
	shift
	on h1 bench-net-cells "$@" 500 > /tmp/cycle 2>&1 ||
		{ echo "failed net-cells-$name"; cat /tmp/cycle; return 1; }
	ns=$(sed 's/.* p50 \([0-9]*\) .*/\1/' /tmp/cycle)
	row net-cells-$name $ns ns
	eval "ns_$name=$ns"
}

net_cells() {
	nap=0
	rack
	start_allocator
	locks_of allocator -w 100 -n 5000 1 seldom
	locks_of switch -w 100 1 often
	row net-cells-switch/allocator $(over $ns_switch $ns_allocator) ratio
	end_rack
}

# ---------------------------------------------------------------- requests

# The allocator in alloc, which p4switch obeys over its control socket; h1 speaks for all nodes.
net_requests() {
	nap=100 grace=30s
	rack
	for t in 1 2 3 4 5 6 7 8; do
		for h in h1 alloc; do
			on $h p4ctl tenant add $t name t$t uid 1001 2> /tmp/tenant.log || true
		done
	done
	ip -n h1 link add direct type veth peer name direct netns alloc
	for n in 1 2; do
		h=$([ $n = 1 ] && echo h1 || echo alloc)
		ip -n $h addr add 10.1.0.$n/24 dev direct
		ip -n $h link set direct up
	done
	start_quiet_allocator
	if on h1 bench-net-requests 10.1.0.2 8 16 20 > /tmp/requests 2> /tmp/requests.log; then
		read rate p99 < /tmp/requests
		row net-requests $rate /s '>=' 10000
		row net-requests-p99 $p99 ns
	else
		echo "failed net-requests"
		cat /tmp/requests.log /tmp/p4allocd.log
	fi
	end_rack
}

start_quiet_allocator() {
	start_on alloc p4allocd p4allocd --store /run/p4allocd.db
	allocator=$pid
	await 60 allocator_says '"switch":"up"'
}

# Everything through p4switch: a killed tenant, one that waits for its blocks, one for its lock.
net_dead() {
	nap=20 grace=50ms
	rack
	start_quiet_allocator
	if on h1 bench-net-dead > /tmp/dead 2> /tmp/dead.log; then
		read blocks lock < /tmp/dead
		row net-dead-blocks $blocks ns '<=' 10000000
		row net-dead-lock $lock ns '<=' 10000000
	else
		echo "failed net-dead"
		cat /tmp/dead.log
	fi
	end_rack
}

# Two nodes, which run transactions all the time.
net_resize() {
	nap=20 grace=30s
	rack
	start_quiet_allocator
	start_on h2 resize1 bench-net-resize 1
	other=$pid
	if on h1 bench-net-resize 0 > /tmp/resize 2> /tmp/resize.log && wait $other; then
		read grown shrunk answered lost < /tmp/resize
		row net-resize-grow $grown ns '<=' 10000000
		row net-resize-shrink $shrunk ns '<=' 10000000
		row net-resize-transactions-while-growing $answered transactions
		row net-resize-lost $((lost + $(sed 's/.* //' /tmp/resize1.log))) keys '<=' 0
	else
		echo "failed net-resize"
		cat /tmp/resize.log /tmp/resize1.log /tmp/p4allocd.log
	fi
	end_rack
}

end_rack() {
	kill -9 $allocator $switch
	wait $allocator $switch 2> /dev/null || true
	rm -f /run/p4allocd.db*		# the next row's allocator knows of nothing
	for h in h1 h2 alloc sw; do
		ip netns del $h
	done
}

for r; do
	case $r in
	net-cells) net_cells ;;
	net-requests) net_requests ;;
	net-dead) net_dead ;;
	net-resize) net_resize ;;
	net-locks) net_locks ;;
	*) echo "failed $r: no such row" ;;
	esac
done
finish
