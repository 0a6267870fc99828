#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k x86 -t 540
# files: build/test/guest/rpc
# Both directions lose, repeat and reorder packets: all RPCs succeed, none runs twice, no byte is wrong.
. /lib/scenario.sh

two_hosts
start_server h2
netem add loss 1%
check 'loss 1 %' on h1 rpc client --to 10.0.0.2:4000 --len 1,100,5000,100000,1000000 --count 10 --parallel 4
netem change loss 10%
check 'loss 10 %' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 --count 20 --parallel 4
netem change loss 30%
check 'loss 30 %' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,30000 --count 20 --parallel 4
netem change loss 0% duplicate 20%
check 'duplicates' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 --count 20 --parallel 4
netem change loss 0% duplicate 0% delay 2ms 2ms
check 'reordering' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 --count 20 --parallel 4
netem change loss 10% duplicate 10% delay 2ms 2ms
check 'loss, duplicates, reordering' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,100000 --count 20 \
	--parallel 4
stop_server 'each request ran once, no byte is wrong'
# Homa has no checksum: data may be wrong now, but nothing may crash, and it must end with the cause.
start_server h2
netem change loss 0% duplicate 0% delay 0ms corrupt 10%
on h1 timeout 30 rpc client --to 10.0.0.2:4000 --len 100,5000,60000 --count 100 --parallel 8 \
	--max-failed 100 > /dev/null 2>&1 || true
netem change corrupt 0%
check 'RPCs work after packets were corrupted' on h1 rpc client --to 10.0.0.2:4000 --len 100,60000 \
	--count 20 --parallel 4
finish
