#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 500
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/bin/p4ycsb build/bin/p4trace build/bin/p4oracle build/p4db-20-4-256.spec:/lib/p4db.spec
# The allocator is killed again and again while two tenants take turns; it starts from its store, no
# grant is lost or given twice, and both tenants finish with every value right.
. /lib/scenario.sh

owner_epochs() { p4ctl switch reg read owner 0 4; }

rack
start_allocator
make_trace 1 4000
make_trace 2 4000
start_node h1 1 6 3 30000000
one=$pid
start_node h2 2 6 3 30000000
two=$pid
kills=0
while [ $kills -lt 5 ] && kill -0 $one 2>/dev/null && kill -0 $two 2>/dev/null; do
	sleep 2
	crash $allocator
	kills=$((kills + 1))
	start_allocator
done
echo "  the allocator was killed $kills times"
equal 'it was killed while tenants ran' $((kills > 1)) 1
finishes $one 'tenant 1 finishes' /tmp/node1.log
finishes $two 'tenant 2 finishes' /tmp/node2.log
check_history 1
check_history 2
check 'no block is left behind' allocator_says '"used":0'
finish
