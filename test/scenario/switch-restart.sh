#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 400
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/test/guest/txn-once build/test/guest/txn-rtt build/bin/p4ycsb build/bin/p4trace build/bin/p4oracle build/p4db-20-4-256.spec:/lib/p4db.spec
# The switch restarts with empty registers: a transaction of before gets STALE, nothing is read as 0,
# and the allocator takes the new switch over with epochs above all that it gave before.
. /lib/scenario.sh

rack
check 'before' on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --tenant 1 --epoch 1 \
	--count 20 --flows 4
kill -9 $switch
wait $switch || true
start_switch
check 'after: STALE' on h1 txn-once --switch 10.0.0.254 --tenant 1 --epoch 1 --flows 4 --count 20 --status 1
on h1 p4ctl tenant del 1
on h1 p4ctl geometry set registers 20 blocks 4 flows 256
on h1 p4ctl tenant add 1 name ada uid 1001
start_allocator
make_trace 1 800
start_node h1 1 2 3 30000000
node=$pid
status=0
wait $node || status=$?
verdict $status 'a tenant runs on the new switch' /tmp/node1.log
check_history 1
kill -9 $switch
wait $switch || true
start_switch
check 'the allocator finds the restarted switch' await 120 allocator_says '"switch":"up"'
finish
