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

two_hosts
start_server h2
start_on h1 failing rpc client --to 10.0.0.2:4000 --len 100,5000,100000 --count 100 --parallel 4 --max-failed 300
failing=$pid
echo -1 > $fail/times
echo 5 > $fail/probability
read -t 3 nothing < /dev/zero || true
until echo 0 > $fail/probability; do :; done 2> /dev/null
check 'RPCs end while memory fails by chance' wait $failing
sed 's/^/  /' /tmp/failing.log | tail -n 3
check 'RPCs work when there is memory again' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 \
	--count 20 --parallel 4
stop_server 'each request ran once, no byte is wrong'
finish
