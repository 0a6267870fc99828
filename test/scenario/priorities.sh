#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -t 120
# files: build/bin/p4ctl build/test/guest/rpc
# Priorities: cutoffs are told to senders and computed from what comes; knobs refuse what is wrong.
. /lib/scenario.sh

knobs=/proc/sys/net/homa
knob() { on "$1" cat $knobs/"$2" | tr '\t' ' '; }
count() { on "$1" p4ctl stats --all "$2" | awk 'END { print $2 }'; }
refused() { on h2 sh -c "! echo '$2' > $knobs/$1" && equal "$1 $2: unchanged" "$(knob h2 "$1")" "$3"; }

two_hosts
start_server h2
equal 'at first' "$(knob h2 unsched_cutoffs)" '2147483647 0 0 0 1000000 15000 2800 200'
check 'short messages' on h1 rpc client --to 10.0.0.2:4000 --len 100 --count 800
check 'cutoffs are computed' await 20 sh -c "[ $(knob h2 cutoff_version) -gt 1 ] ||
	ip netns exec h1 rpc client --to 10.0.0.2:4000 --len 100 --count 100"
check 'levels that so few lengths leave are for granted bytes' [ "$(knob h2 max_sched_prio)" -ge 5 ]
check 'h1 was told' [ "$(count h2 packets_sent_CUTOFFS)" -gt 0 ]
check 'h1 took what it was told' [ "$(count h1 packets_rcvd_CUTOFFS)" -gt 0 ]
check 'not with each packet' [ "$(count h2 packets_sent_CUTOFFS)" -lt 20 ]

refused num_priorities 0 8
refused num_priorities 9 8
refused priority_map '0 1 2 3 4 5 6 8' '0 1 2 3 4 5 6 7'
refused unsched_cutoffs '0 0 0 0 0 0 0 -1' "$(knob h2 unsched_cutoffs)"
for n in 1 2 3 4 5 6 7 8; do
	on h2 sysctl -q -w net.homa.num_priorities=$n
	on h1 sysctl -q -w net.homa.num_priorities=$((9 - n))
	check "$n levels" on h1 rpc client --to 10.0.0.2:4000 --len 1,1000,60000,300000 --count 3
done
on h2 sysctl -q -w 'net.homa.unsched_cutoffs=0 0 0 0 0 1000000 500 90'
check 'fixed cutoffs' on h1 rpc client --to 10.0.0.2:4000 --len 100 --count 800
equal 'they stay' "$(knob h2 unsched_cutoffs)" '2147483647 0 0 0 0 1000000 500 90'
equal 'granted bytes stay below' "$(knob h2 max_sched_prio)" 4
stop_server 'each request ran once, no byte is wrong'
check 'the module can be unloaded' rmmod p4homa
finish
