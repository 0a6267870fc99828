#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 400
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/bin/p4ycsb build/bin/p4trace build/bin/p4oracle build/p4db-20-4-256.spec:/lib/p4db.spec
# Tenant 1 is killed while it holds 3 of 4 blocks; tenant 2, which needs 3, gets them when the lease
# (10 s) and the grace are over, and finishes. What tenant 1 had committed is in the store.
. /lib/scenario.sh

grace=2s
rack
start_allocator
make_trace 1 4000
make_trace 2 800
start_node h1 1 2 3 10000000
victim=$pid
check 'tenant 1 runs in the switch' await 120 node_is 1 hot
crash $victim
check 'tenant 1 holds blocks when it dies' allocator_says '"used":3'
start_node h2 2 2 3 10000000
survivor=$pid
finishes $survivor 'tenant 2 gets the blocks and finishes' /tmp/node2.log
check_history 2
check 'tenant 1 was fenced' allocator_says '"id":1,.*"fences":1'
check 'its cells are in the store' allocator_says '"id":1,.*"escrow":[1-9]'
check 'no block is left behind' allocator_says '"used":0'
finish
