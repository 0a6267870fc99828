#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 300
# files: build/bin/p4switch build/bin/p4ctl build/test/guest/txn-once build/test/guest/txn-rtt build/p4db-20-4-256.spec:/lib/p4db.spec
# The switch gave its blocks to tenant 1 under epoch 5. h1 knows, h2 has an older epoch or is another
# tenant: its packets read and write nothing, and are counted.
. /lib/scenario.sh

stale_count() { p4ctl switch show | sed -n 's/.*txn_stale *\([0-9]*\).*/\1/p'; }

cells() { p4ctl switch reg read r2 0 128; }

# What a grant does to the flows of a node, so that it is the owner words that stop the packets.
give_flows() {
	p4ctl switch reg write flow_state 0 $(($1 << 40)) $(($1 << 40)) $(($1 << 40)) $(($1 << 40)) --force
}

refused() {	# refused TENANT EPOCH
	on h2 txn-once --switch 10.0.0.254 --tenant $1 --epoch $2 --flows 4 --count 40 --status 1
}

rack
check 'the owner' on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --tenant 1 --epoch 5 \
	--count 50 --flows 4
before=$(cells)
stale=$(stale_count)
check 'flows of tenant 1' give_flows 1
check 'an old epoch' refused 1 4
on h2 p4ctl tenant del 1
check 'flows of tenant 2' give_flows 2
check 'another tenant' refused 2 5
check 'flows of tenant 1' give_flows 1
check "another tenant, the owner's flows" refused 2 6
equal 'no cell has changed' "$(cells)" "$before"
# a request that the kernel had to send twice is refused twice
check 'all of them are counted' [ $(($(stale_count) - stale)) -ge 120 ]
check 'the owner is not disturbed' on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --tenant 1 \
	--epoch 6 --count 50 --flows 4
finish
