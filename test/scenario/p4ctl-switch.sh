#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 300
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/bin/p4ycsb build/bin/p4trace build/p4db-20-4-256.spec:/lib/p4db.spec
# p4ctl against the switch and the allocator: what their sockets say, shown and as JSON.
. /lib/scenario.sh

refused() {	# refused STATUS TEXT ARGUMENT...
	want=$1 text=$2 got=0
	shift 2
	p4ctl "$@" > /tmp/refused.log 2>&1 || got=$?
	cat /tmp/refused.log
	[ $got = "$want" ] && grep -q -F -e "$text" /tmp/refused.log
}

shows() {	# shows TEXT COMMAND...: runs of blanks count as one
	text=$1
	shift
	"$@" > /tmp/shows.log
	cat /tmp/shows.log
	tr -s ' ' < /tmp/shows.log | grep -q -F -e "$text"
}

rack
check 'switch show: geometry' shows '20 register arrays (4 dependent), 4 blocks of 64 slots, 256 flows' \
	p4ctl switch show
check 'switch show: ports' shows ' p1 ' p4ctl switch show
check 'switch show: counters' shows 'txn_stale 0' p4ctl switch show
check 'switch show: nobody owns a block' shows 'nobody 0 4 0-3 - -' p4ctl switch show

check 'reg write asks for --force' refused 2 'add --force' switch reg write owner 1 5
check 'reg read: nothing was written' shows 'owner 1 0 0x0 tenant 0 epoch 0' \
	p4ctl switch reg read owner 1
# tenant 7, epoch 9: blocks 1 and 3; lock bits 0x11 and serial 5 at its home
check 'reg write' p4ctl switch reg write owner 1 0x70000000009 0 0x70000000009 --force
check 'reg write: lock' p4ctl switch reg write lock 1 0x11 --force
check 'reg write: serial' p4ctl switch reg write serial 1 5 --force
check 'reg read' shows 'owner 3 7696581394441 0x70000000009 tenant 7 epoch 9' \
	p4ctl switch reg read owner 0 4
check 'switch show: the owner' shows '7 9 2 1,3 0x00000011 5' p4ctl switch show
check 'switch show: the others' shows 'nobody 0 2 0,2' p4ctl switch show
equal 'switch show: JSON' "$(p4ctl -j switch show | tr -d ' \n' | grep -c \
	'{"tenant":7,"epoch":9,"blocks":\[1,3\],"lock":17,"serial":5}')" 1
equal 'reg read: JSON' "$(p4ctl -j switch reg read owner 0 2 | tr -d ' \n')" '[0,7696581394441]'
check 'reg read: the switch explains' refused 1 'p4switch refuses' switch reg read owner 4
check 'reg read: unknown array' refused 1 'p4switch refuses' switch reg read r20 0
check 'reg write: zeros again' p4ctl switch reg write owner 0 0 0 0 0 --force

start_allocator --metrics 9146
check 'alloc show: the rack' shows 'switch up, 0 of 4 blocks in use' on alloc p4ctl alloc show
check 'alloc show: a tenant' shows '2 bob idle' on alloc p4ctl alloc show 2
equal 'alloc show: only that one' "$(on alloc p4ctl alloc show 2 | grep -c ada)" 0

# two tenants of which each wants 3 of the 4 blocks, watched
column() {	# column N: of the history's lines
	tail -n +2 /tmp/history.csv | cut -d, -f$1
}

metric() { on alloc wget -q -O - http://127.0.0.1:9146/metrics | sed -n "s/^$1 //p"; }

make_trace 1 600
make_trace 2 600
start_node h1 1 3 3 2000000
first=$pid
start_node h2 2 3 3 2000000
second=$pid
await 120 allocator_says '"used":[1-9]'
on alloc p4ctl alloc explain 1 > /tmp/explain.log
on alloc p4ctl alloc top --count 3 --delay 200ms > /tmp/top.log
on alloc p4ctl -j alloc top -n 2 -d 100ms > /tmp/top.json
status=0
wait $first || status=$?
wait $second || status=$?
verdict $status 'two tenants run' /tmp/node2.log
check 'top: three views' shows 3 grep -c '^switch up, [0-9] of 4 blocks held' /tmp/top.log
check 'top: the map' grep -E '^   0 [AB.]{4}$' /tmp/top.log
check 'top: a tenant' shows ' A 1 ada' sed 's/^/ /' /tmp/top.log
equal 'top: JSON lines' "$(grep -c '^{"now_us":.*"owners":\[' /tmp/top.json)" 2
check 'explain: how many' shows '3 asked for; it holds ' cat /tmp/explain.log
check 'explain: when' shows 'When: ' cat /tmp/explain.log
check 'explain: an unknown tenant' eval '! on alloc p4ctl alloc explain 9'
check 'history' on alloc p4ctl alloc history --csv /tmp/history.csv --svg /tmp/history.svg
equal 'history: a column for each tenant' "$(head -n 1 /tmp/history.csv)" \
	seconds,used,total,utilisation,waiting,tenant_1,tenant_2
check 'history: never more than there is' eval \
	'column 2,6,7 | awk -F, "\$1 > 4 || \$1 != \$2 + \$3 { exit 1 }"'
equal 'history: all is given back' "$(column 2 | tail -n 1)" 0
check 'history: the picture' grep -q '</svg>' /tmp/history.svg
equal 'metrics: what is held' "$(metric p4alloc_blocks_held)" 0
equal 'metrics: grants' "$(metric 'p4alloc_tenant_grants_total{tenant="1",name="ada"}')" 3
check 'the switch counted each batch' eval \
	'on alloc p4ctl -j alloc explain 1 | tr -d " \n" | grep "\"check\":{\"batches\":[1-3],"'
on alloc wget -q -O /tmp/metrics http://127.0.0.1:9146/metrics
check 'what an honest tenant declares is believed' shows 2 grep -c 'believed_ratio{.*} 1$' \
	/tmp/metrics
finish
