#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -i -d -t 1500 -M 1536
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/bin/p4ycsb build/bin/p4smallbank build/bin/p4tpcc build/bin/p4trace build/bin/p4oracle build/test/guest/witness build/test/guest/locker build/test/guest/roamer build/p4db-20-4-256.spec:/lib/p4db.spec
# A schedule drawn from SEED (72), of STEPS (9) events: tenants of one and two nodes start, and are killed
# and stopped; allocator and switch are killed and stopped; commands between them, or their answers, get
# lost; links lose, repeat and reorder; all the time others take named locks, or change their mind about how
# many blocks they want, and when. It is printed first, so that it can be played again. Then: who was not
# killed has finished, with its own conditions true; the oracle agrees with every history, also with what the
# killed ones have written; no two were inside of a lock; no block or bit is left behind; and the witness
# between allocator and switch has seen nothing wrong. In virtual time, so that a busy host changes nothing.
. /lib/scenario.sh

seed=${SEED:-72} steps=${STEPS:-9}
tenants='1 2 3 4'
lockers='1 2 3'
roamers='6 7'
switch_options=--qdisc	# so that links lose what the switch sends, too

# PAUSE (tenths of a second before it) EVENT ARGUMENT...
draw() {
	awk -v seed="$seed" -v steps="$steps" '
	function below(n) {
		x = (x * 1103515 + 12345) % 2147483647
		return int(x / 1000) % n
	}
	function one_of(list,   a) { return a[1 + below(split(list, a, " "))] }
	function start(t) {
		print below(20), "start", t, one_of("ycsb smallbank smallbank tpcc"), 1 + below(3), one_of("200000 2000000 30000000"), 1 + below(4), below(100000)
	}
	BEGIN {
		x = seed * 7919 + 17
		for (i = 0; i < 10; i++)
			below(2)
		start(1)
		start(2)
		for (i = 2; i < steps; i++) {
			e = below(20)
			t = 1 + below(4)
			pause = below(30)
			if (e < 7) start(t)
			else if (e < 9) print pause, "kill_tenant", t, below(2)
			else if (e < 11) print pause, "kill_allocator", below(20)
			else if (e == 11) print pause, "kill_switch", below(20)
			else if (e == 12) print pause, "stop_for", "allocator", 5 + below(30)
			else if (e == 13) print pause, "stop_for", "switch", 2 + below(20)
			else if (e == 14) print pause, "stop_for", t, 2 + below(30)
			else if (e < 17) print pause, "weather", below(10), below(15), below(5)
			else if (e == 17) print pause, "lose", one_of("USR1 USR2")
			else if (e == 18) print pause, one_of("kill_locker,1 kill_locker,2 kill_locker,3 kill_roamer,6 kill_roamer,7")
			else print pause, "kill_both", below(20)
		}
	}' | tr , ' '
}

runs() { grep -q '^State:[^ZX]*$' /proc/$1/status 2> /dev/null; }	# runs PID: not if it waits to be waited for

in_seconds() { echo "$(($1 / 10)).$(($1 % 10))"; }	# from tenths

tenths() { sleep $(in_seconds $1); }

# ---------------------------------------------------------------- tenants

# Variables of tenant T: pids_T (empty: none runs), killed_T, dir_T; each run has a directory of its own.
run_node() {	# run_node TENANT NODE NODES PROGRAM OPTION...
	t=$1 node=$2 nodes=$3 program=$4
	shift 4
	peers=10.0.0.1:500$t
	[ $nodes = 1 ] || peers=$peers,10.0.0.2:500$t
	start_on h$((1 + node)) "run$run.$node" setpriv --reuid 100$t --regid 100$t --clear-groups "$program" \
		--tenant $t --node $node --peers $peers --history $dir/node$node.history \
		--summary $dir/node$node.json --log $dir --flows 8 "$@"
	pids="$pids $pid"
}

# Who is killed may come back at once with as many nodes as before: here 2, 1, 2, 1.
start_tenant() {	# start_tenant TENANT PROGRAM BLOCKS DURATION_US BATCHES SEED
	eval "before=\$pids_$1"
	for p in $before; do
		runs $p && { echo "  tenant $1 runs"; return 0; }
	done
	judge_tenant $1
	t=$1 kind=$2 nodes=$((1 + $1 % 2)) blocks=$3 duration=$4 batches=$5 trace_seed=$6
	run=$((run + 1)) pids= dir=/tmp/run$run
	mkdir $dir
	[ $kind != ycsb ] || p4trace --out $dir --keys 10000 --txns 3000 --ops 4 --seed $trace_seed --nodes $nodes
	chown -R 100$t $dir
	for node in 0 1; do
		[ $node -lt $nodes ] || continue
		set -- --want-blocks $blocks --duration-us $duration --batches $batches
		case $kind in
		ycsb)	set -- "$@" --keys 10000 --trace $dir/node$node.trace --counts $dir/keys.count ;;
		smallbank) set -- "$@" --accounts 1000 --hot 100 --txns 3000 --seed $trace_seed --relayout $((trace_seed % 2)) ;;
		tpcc)	set -- "$@" --warehouses 2 --txns 1000 --seed $trace_seed ;;
		esac
		run_node $t $node $nodes p4$kind "$@"
	done
	eval "pids_$t='$pids' killed_$t= dir_$t=$dir run_$t=$run kind_$t=$kind"
}

say_end() {	# say_end LOG STATUS
	tail -n 3 "$1"
	return $2
}

# Waits for the tenant's run, and looks at what it leaves.
judge_tenant() {	# judge_tenant TENANT
	t=$1
	eval "pids=\$pids_$t killed=\$killed_$t dir=\$dir_$t r=\$run_$t kind=\$kind_$t"
	[ "$pids" ] || return 0
	eval "pids_$t="
	of="run $r, p4$kind of tenant $t"
	node=0
	for p in $pids; do
		status=0
		wait $p || status=$?
		[ "$killed" ] || check "$of: node $node finishes" say_end /tmp/run$r.$node.log $status
		node=$((node + 1))
	done
	runs=$((runs + 1))
	set -- $dir/node?.history
	if [ "$killed" ]; then
		for h; do
			[ -s $h ] || return 0
		done
		kills=$((kills + 1))
		check "$of: what it has written before it was killed" p4oracle --killed "$@"
	else
		check "$of: a serial execution" p4oracle "$@"
		grep -q replayed.*[1-9] $dir/*.json && replayed=$((replayed + 1))
		grep -q expired.*[1-9] $dir/*.json && expired=$((expired + 1))
	fi
	tail -n 1 /tmp/check.log | sed 's/^/  /'
}

# ---------------------------------------------------------------- events

restart_allocator() {
	cat /tmp/p4allocd.log >> /tmp/allocators.log 2> /dev/null || true
	start_allocator --switch /run/witness.sock
}

# What p4allocd complains of that no schedule explains.
judge_allocators() {
	! grep -h 'recvmsg:\|kept back\|netlink:\|held by no packet' /tmp/allocators.log /tmp/p4allocd.log
}

kill_allocator() {
	crash $allocator
	tenths $1
	restart_allocator
}

kill_switch() {
	crash $switch
	tenths $1
	start_switch
}

kill_both() {
	crash $switch $allocator
	tenths $1
	start_switch
	restart_allocator
}

# The tenant that is meant or, if it does not run, the next one that does; its processes in $pids.
find_tenant() {	# find_tenant TENANT
	for t in $1 $tenants; do
		eval "pids=\$pids_$t"
		for p in $pids; do
			runs $p && return 0
		done
	done
	echo "  nobody is there"
	return 1
}

stop_for() {	# stop_for WHO TENTHS
	case $1 in
	allocator) who=$allocator ;;
	switch)	who=$switch ;;
	*)	find_tenant $1 || return 0
		who=${pids##* } ;;
	esac
	kill -STOP $who 2> /dev/null || return 0
	start cont sh -c "sleep $(in_seconds $2); kill -CONT $who"
}

# One node dies; the others, which wait for it, soon after.
kill_tenant() {	# kill_tenant TENANT NODE
	find_tenant $1 || return 0
	node=$2
	set -- $pids
	[ $node = 0 ] || [ $# = 1 ] || set -- $2 $1
	runs $1 || return 0
	kill -9 $1
	eval "killed_$t=1"
	tenths 7
	[ $# = 1 ] || kill -9 $2 2> /dev/null || true
}

links() {	# links COMMAND: `add` or `del`; netem OPTION...
	command=$1
	shift
	for n in h1 h2 alloc; do
		tc -n $n qdisc $command dev eth0 root "$@"
	done
	for p in p1 p2 pa; do
		tc -n sw qdisc $command dev $p root "$@"
	done
}

weather() {	# weather LOSS DUPLICATE DELAY_MS: until the next one
	if [ $bad_weather = 0 ]; then
		links add netem limit 100000 loss $1% duplicate $2% delay $3ms $3ms
	else
		links del
	fi
	bad_weather=$((1 - bad_weather))
}

lose() {
	kill -$1 $witness
	tenths 20
}

start_locker() {	# start_locker N
	start_on h$((1 + $1 % 2)) locker$1 locker 5 $((seed * 10 + $1)) /tmp/locks.$1
	eval "locker$1=$pid"
}

kill_locker() {
	eval "kill -9 \$locker$1" || true
	eval "wait \$locker$1" || true
	start_locker $1
}

start_roamer() {	# start_roamer TENANT
	start_on h$(($1 - 5)) roamer$1 roamer $1 $((seed * 10 + $1)) /tmp/roamer.record
	eval "roamer$1=$pid"
}

kill_roamer() {
	eval "pid=\$roamer$1"
	check "roamer $1 has had all its values" runs $pid
	sed 's/^/  /' /tmp/roamer$1.log
	kill -9 $pid 2> /dev/null || true
	wait $pid || true
	start_roamer $1
}

play() {
	while read -r pause event arguments <&3; do
		tenths $pause
		echo "  $(cut -d' ' -f1 /proc/uptime) $event $arguments"
		events=$((events + 1))
		case $event in
		start)	start_tenant $arguments ;;
		*)	$event $arguments ;;
		esac
	done
}

# ---------------------------------------------------------------- the end

# Holds by name and time, `NAME MODE TOKEN FROM UNTIL`, UNTIL as far as its holder was sure.
list_holds() {
	cat /tmp/locks.? | awk '
	$1 == "hold" { mode[$2 " " $4] = $3; from[$2 " " $4] = $6; until[$2 " " $4 " " $6] = $7
		       n++; name[n] = $2; m[n] = $3; token[n] = $4; f[n] = $6; u[n] = $7 }
	$1 == "end" { u[n] = $4 < $5 ? $4 : $5 }
	END { for (i = 1; i <= n; i++) if (f[i] < u[i]) print name[i], m[i], token[i], f[i], u[i] }' |
		sort -k1,1 -k4,4n
}

# SLACK: a holder may be away from its CPU between the answer and its look at the clock.
judge_holds() {
	list_holds > /tmp/holds
	awk -v slack=100000 '
	$1 != last { x_until = s_until = x_token = s_token = 0; last = $1 }
	$4 < x_until { print "inside with an exclusive holder, who had it until " x_until ": " $0; bad = 1 }
	$2 == "x" && $4 < s_until { print "inside with a shared holder, who had it until " s_until ": " $0; bad = 1 }
	$3 <= x_token || ($2 == "x" && $3 <= s_token) {
		print "a token that does not ascend from " x_token " and " s_token ": " $0; bad = 1 }
	{ until = $5 - slack }
	$2 == "x" { if (until > x_until) x_until = until; if ($3 > x_token) x_token = $3 }
	$2 == "s" { if (until > s_until) s_until = until; if ($3 > s_token) s_token = $3 }
	END { print NR " holds"; exit bad }' /tmp/holds
}

# No grant that a history or a roamer names is unknown to the witness.
judge_epochs() {
	for h in /tmp/run*/*.history; do
		t=$(sed -n '1s/.*tenant \([0-9]*\) .*/\1/p' $h)
		awk -v t=$t '$1 == "C" && $3 > 0 && /;/ { sub(";.*", "", $4); print "give", t, $4 }' $h
	done | cat - /tmp/roamer.record | sed 's/^used/give/' | sort -u > /tmp/used
	grep give /tmp/witness.record | sed 'p; s/ [0-9]*$//' | sort -u > /tmp/given
	awk 'NR == FNR { given[$0]; next } !($0 in given)' /tmp/given /tmp/used > /tmp/not_given
	echo "$(wc -l < /tmp/used) grants and blocks, not known to the witness:"
	cat /tmp/not_given
	! [ -s /tmp/not_given ]
}

registers() { p4ctl -j switch reg read "$1" 0 4 | tr -d ' \n'; }

grace=2s
dependent=4
rack
for h in h1 h2 alloc; do
	on $h p4ctl tenant add 3 name cyd uid 1003
	on $h p4ctl tenant add 4 name dan uid 1004
	on $h p4ctl tenant add 5 name eve uid 1005
	on $h p4ctl tenant add 6 name fay uid 1006
	on $h p4ctl tenant add 7 name guy uid 1007
done
outlive_switch h1 h2 alloc
start witness witness /run/witness.sock /run/p4switch.sock /tmp/witness.record
witness=$pid
await 20 [ -S /run/witness.sock ]
restart_allocator
echo "  seed $seed, $steps steps:"
draw > /tmp/schedule
sed 's/^/  /' /tmp/schedule
bad_weather=0 run=0 runs=0 kills=0 events=0 replayed=0 expired=0
for t in $tenants; do
	eval "pids_$t= killed_$t= dir_$t= run_$t= kind_$t="
done
for l in $lockers; do
	start_locker $l
done
for t in $roamers; do
	start_roamer $t
done
play 3< /tmp/schedule
[ $bad_weather = 0 ] || weather
for t in $tenants; do
	judge_tenant $t
done
for l in $lockers; do
	eval "kill \$locker$l" || true
	eval "finishes \$locker$l 'locker $l has met no error' /tmp/locker$l.log"
	sed 's/^/  /' /tmp/locker$l.log
done
for t in $roamers; do
	eval "kill \$roamer$t" || true
	eval "finishes \$roamer$t 'roamer $t has all its values' /tmp/roamer$t.log"
	sed 's/^/  /' /tmp/roamer$t.log
done
check 'named locks: nobody inside with another one, tokens ascend' judge_holds
tail -n 1 /tmp/check.log | sed 's/^/  /'
# Who was killed keeps its blocks until somebody else wants them: one that wants all of them.
start_tenant 4 smallbank 4 2000000 1 1
judge_tenant 4
check 'no block is left behind' await 30 allocator_says '"used":0'
equal 'nor in the switch' "$(registers owner)" '[0,0,0,0]'
equal 'nor a lock bit' "$(registers lock)" '[0,0,0,0]'
check 'what ran in the switch ran in grants' judge_epochs
check 'the allocator ends' stop $allocator
check 'it has met no error' judge_allocators
check 'the witness has seen nothing wrong' stop $witness
sed 's/^/  /' /tmp/check.log /tmp/witness.log | tail -n 12
echo "  $events events, $runs runs ($kills killed, $replayed with values from logs, $expired after their lease)"
finish
