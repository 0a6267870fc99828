#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k x86 -t 300
# guest: -k backports -t 240
# files: build/test/guest/rpc build/test/guest/inject build/test/guest/fail-alloc
# The module is unloaded and loaded while packets of its protocol keep arriving, good and bad ones;
# sockets are closed at any moment, and namespaces die. No request runs twice. And memory runs out
# while it is loaded, at each STEPth allocation, so STEP seeds in a row take all. ROUNDS (1), SEED (1),
# STEP (100).
. /lib/scenario.sh
number=${SEED:-1}
step=${STEP:-100}
rate=2000	# more of them, and a guest does nothing else

draw() {	# draw BELOW: sets $drawn
	number=$(((number * 1103515245 + 12345) & 0x7fffffff))
	drawn=$((number / 65536 % $1))
}

cut_off() {	# clients that end wherever they are, until the file is gone
	while [ -e /tmp/cutting ]; do
		draw 2
		ip netns exec h1 rpc client --to 10.0.0.2:400$drawn --len 200000,5000,100 --count 100 \
			--parallel 4 --max-failed 300 > /dev/null 2>&1 &
		draw 500
		sleep 0.$((500 + drawn))
		kill -9 $!
		wait $! || true
	done
}

disturb() {	# disturb NAME HOST TO: sets $pid
	start_on $2 $1 inject --to $3 --device eth0 --count 1000000000 --rate $rate --spare 4000 \
		--seed $((number % 1000000))
}

# All checkers on, emulated, and hostile packets all the time: a second's silence is no death.
patient() {
	for h in h1 h2; do
		on $h sysctl -q -w net.homa.timeout_ticks=20000
	done
}

client() {
	on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 --count 20 --parallel 4 && return
	for h in h1 h2; do	# what was counted until then, to find the cause
		on $h awk -v host=$h '$1 !~ /bytes/ { n[$1] += $2 }
			END { for (k in n) if (n[k]) print host, k, n[k] }' /proc/net/homa_metrics | sort
	done
	return 1
}

round=0
while [ $round -lt "${ROUNDS:-1}" ]; do
	round=$((round + 1))
	draw 1000
	two_hosts
	patient
	start_server h2
	start_on h2 victim rpc server --port 4001 --unchecked
	victim=$pid
	disturb inject1 h1 10.0.0.2
	disturbers=$pid
	disturb inject2 h2 10.0.0.1
	disturbers="$disturbers $pid"
	touch /tmp/cutting
	cut_off 2> /dev/null &
	cutter=$!
	check "round $round: RPCs while others are cut off" client
	refused=0
	rmmod p4homa 2> /tmp/rmmod.log || refused=1
	equal "round $round: no unloading while sockets are open" $refused 1
	rm /tmp/cutting
	kill -9 $victim
	stop_server "round $round: each request ran once, no byte is wrong"
	wait $cutter $victim || true
	check "round $round: unload while packets arrive" await 60 rmmod p4homa
	check "round $round: load while packets arrive" insmod /lib/modules/p4homa.ko
	patient
	start_server h2
	check "round $round: RPCs with the module that was loaded" client
	kill -9 $server $disturbers
	wait $server $disturbers || true
	ip netns del h1
	ip netns del h2
done
check 'unload when the namespaces are gone' await 60 rmmod p4homa
fail=/sys/kernel/debug/failslab
if [ -e $fail ]; then
	ip netns add other	# what was made for it is undone, too
	echo N > $fail/ignore-gfp-wait
	echo 0 > $fail/verbose
	other_module > /tmp/q4homa.ko
	insmod /tmp/q4homa.ko
	first=$(fail-alloc count-loaders)
	rmmod q4homa
	check 'memory runs out while the module is loaded' fail-alloc load $((first + ${SEED:-1} % step)) $step
	sed 's/^/  /' /tmp/check.log
	check 'and then it can be loaded' insmod /lib/modules/p4homa.ko
	rmmod p4homa
fi
touch /run/leakscan
finish
