#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -t 300
# files: build/test/guest/rpc build/test/guest/fail-alloc
# Memory runs out, at each place in turn where a call allocates, and by chance where packets are
# handled: errors say so, RPCs end, nothing is left behind.
. /lib/scenario.sh
fail=/sys/kernel/debug/failslab
echo N > $fail/ignore-gfp-wait
echo 0 > $fail/verbose

check 'calls' fail-alloc
sed 's/^/  /' /tmp/check.log

counted() { on h1 awk -v name="$1" '$1 == name { n += $2 } END { exit !n }' /proc/net/homa_metrics; }

two_hosts
start_server h2
start_on h1 failing rpc client --to 10.0.0.2:4000 --len 5000 --count 9000 --parallel 4 --max-failed 9000
failing=$pid
await 20 counted client_responses_done
echo -1 > $fail/times
check 'memory fails by chance' nsenter --net=/run/netns/h2 fail-alloc chance 5 2
check 'RPCs end' wait $failing
sed 's/^/  /' /tmp/failing.log | tail -n 3
check 'packets were lost by that' counted data_xmit_errors
check 'RPCs work when there is memory again' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 \
	--count 20 --parallel 4
stop_server 'each request ran once, no byte is wrong'
finish
