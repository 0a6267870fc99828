#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 500
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/test/guest/txn-once build/test/guest/txn-rtt build/bin/p4ycsb build/bin/p4trace build/bin/p4oracle build/bin/p4log build/p4db-20-4-256.spec:/lib/p4db.spec
# The switch restarts with empty registers: a transaction of before gets STALE, nothing is read as 0,
# and the allocator takes the new switch over with epochs above all that it gave before. What a tenant's
# two nodes committed in the registers that are gone comes back from their logs.
. /lib/scenario.sh

rack
check 'before' on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --tenant 1 --epoch 1 \
	--count 20 --flows 4

# Done, but not answered: h1 has no address when the answer comes. The repeat gets STALE of the new switch.
cell() { p4ctl switch reg read r2 65; }
resent() { on h1 p4ctl stats --all txn_resent | awk 'END { print $2 }'; }
is_done() { [ "$(cell)" != "$before" ]; }
is_resent() { [ "$(resent)" -gt "$sent" ]; }
before=$(cell) sent=$(resent)
outlive_switch h1 h2
kill -STOP $switch
start_on h1 doubtful txn-once --switch 10.0.0.254 --tenant 1 --epoch 1 --flows 4 --count 1 --in-doubt \
	--expect txn_in_doubt=1
doubtful=$pid
await 60 is_resent
on h1 ip addr del 10.0.0.1/24 dev eth0
kill -CONT $switch
await 60 is_done
crash $switch
on h1 ip addr add 10.0.0.1/24 dev eth0
start_switch
finishes $doubtful 'done before, STALE after: in doubt' /tmp/doubtful.log
check 'after: STALE' on h1 txn-once --switch 10.0.0.254 --tenant 1 --epoch 1 --flows 4 --count 20 --status 1
on h1 p4ctl tenant del 1
on h1 p4ctl geometry set registers 20 blocks 4 flows 256
on h1 p4ctl tenant add 1 name ada uid 1001
start_logged() {	# start_logged NODE: of two, from /tmp/t2
	start_on h$((1 + $1)) "logged$1" setpriv --reuid 1002 --regid 1002 --clear-groups p4ycsb \
		--tenant 2 --node $1 --peers 10.0.0.1:5002,10.0.0.2:5002 --keys 10000 --batches 1 \
		--want-blocks 1 --flows 1 --duration-us 30000000 --trace /tmp/t2/node$1.trace \
		--counts /tmp/t2/keys.count --history /tmp/t2/node$1.history \
		--summary /tmp/t2/node$1.json --log /tmp/t2 --log-sync $1
}

runs_hot() { tail -n 1 /tmp/logged0.log | grep -q ' phase hot '; }

start_allocator
make_trace 1 800
start_node h1 1 2 3 30000000
node=$pid
finishes $node 'a tenant runs on the new switch' /tmp/node1.log
check_history 1

mkdir /tmp/t2
p4trace --out /tmp/t2 --keys 10000 --txns 800 --ops 2 --seed 2 --nodes 2
chown -R 1002 /tmp/t2
start_logged 0
logged0=$pid
start_logged 1
logged1=$pid
await 120 runs_hot
crash $switch
start_switch
check 'the allocator finds the restarted switch' await 120 allocator_says '"switch":"up"'
for node in 0 1; do
	eval finishes \$logged$node "'node $node goes on after the switch has lost its memory'" \
		/tmp/logged$node.log
done
equal 'both nodes had their values from the logs' "$(grep -c replayed.*1, /tmp/t2/*.json)" \
	"$(printf '/tmp/t2/node%d.json:1\n' 0 1)"
check 'oracle: tenant 2' p4oracle --trace /tmp/t2/node0.trace --trace /tmp/t2/node1.trace \
	/tmp/t2/node0.history /tmp/t2/node1.history
sed 's/^/  /' /tmp/check.log
check 'the logs have all that was committed' p4log replay --tenant 2 --key 0 /tmp/t2
sed 's/^/  /' /tmp/check.log
finish
