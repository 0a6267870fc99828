#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -t 240
# guest: -k backports -t 240
# files: build/bin/p4ctl build/test/guest/rpc /etc/passwd /etc/group
# p4ctl against the kernel: what it sets is what it shows, what it shows can be run again, errors
# say what is accepted and change nothing.
. /lib/scenario.sh

# ---------------------------------------------------------------- helpers

p() { on h1 p4ctl "$@"; }

refused() {	# refused STATUS TEXT ARGUMENT...: p4ctl ends with it and its words have the text
	want=$1 text=$2 got=0
	shift 2
	p "$@" > /tmp/refused.log 2>&1 || got=$?
	cat /tmp/refused.log
	[ $got = "$want" ] && grep -q -F -e "$text" /tmp/refused.log
}

shows() {	# shows TEXT ARGUMENT...: runs of blanks count as one
	text=$1
	shift
	p "$@" > /tmp/shows.log
	cat /tmp/shows.log
	tr -s ' ' < /tmp/shows.log | grep -q -F -e "$text"
}

two_hosts

# ---------------------------------------------------------------- before anything is set

check 'geometry: none at first' refused 1 'no geometry was set' geometry show
check 'policy: defaults' shows 'port 4001' policy show
equal 'tenants: none at first' "$(p -j tenant show | tr -d ' \n')" '[]'
equal 'show: policy and knobs only' "$(p show | grep -c -v 'sysctl set')" 1

# ---------------------------------------------------------------- set and show

check 'geometry set' p geometry set registers 20 blocks 16 flows 1024
check 'geometry show' shows 'cells 20480' geometry show
check 'policy set' p policy set allocator 10.0.0.254 port 4002 lease-max 1.5s grace 20ms
equal 'policy show' "$(p -j policy show | tr -d ' \n')" \
	'{"allocator":"10.0.0.254","port":4002,"lease_max_us":1500000,"grace_us":20000}'
check 'policy: the rest stays' p policy set grace 30ms
check 'policy: port stayed' shows 'port 4002' policy show
check 'tenant add' p tenant add 7 name shop uid 1001 gid 100 weight 200 min-blocks 2 max-blocks 8 \
	max-rpcs 64
check 'tenant add, defaults' p tenant add 8
check 'tenant show' shows '7 shop 1001 100(users) 200 2..8 64 0' tenant show
check 'tenant show: defaults' shows '8 tenant8 none none 100 0..256 no limit 0' tenant show 8
check 'tenant set' p tenant set 8 weight 300 user root
check 'tenant set: changed' shows '8 tenant8 0(root) none 300' tenant show
equal 'another namespace knows nothing of it' "$(on h2 p4ctl -j tenant show | tr -d ' \n')" '[]'
check 'alloc show: tenants that hold nothing' shows '7 shop - 0 none - 0 0 0 0 0 0' alloc show
check 'alloc show: no allocator here' shows 'cannot reach p4allocd' alloc show

# ---------------------------------------------------------------- knobs and counters

check 'sysctl set' p sysctl set resend_interval=20 net.homa.resend_ticks=30
equal 'sysctl set: it is set' "$(on h1 cat /proc/sys/net/homa/resend_interval)" 20
check 'sysctl show' shows 'resend_ticks 30 ms 1..10000' sysctl show resend_ticks
equal 'sysctl show: all that there are' "$(p -j sysctl show | grep -c '"name"')" \
	"$(on h1 ls /proc/sys/net/homa | wc -l)"
equal 'sysctl show: all are known' "$(p -j sysctl show | grep -c '"default"')" \
	"$(on h1 ls /proc/sys/net/homa | wc -l)"
before=$(p -j sysctl show)
check 'sysctl set: all or none' refused 2 '1..10000 ms' sysctl set resend_ticks=40 resend_interval=0
equal 'sysctl set: none' "$(p -j sysctl show)" "$before"
check 'sysctl: near words' refused 2 "did you mean 'resend_interval'?" sysctl show resend_intervall
start_server h2
check 'an RPC' on h1 rpc client --to 10.0.0.2:4000 --len 100 --count 3
check 'stats: requests' shows 'client_requests_started 3 requests sent by programs' stats
check 'stats: pattern, zeros' shows 'txn_timeout 0' stats --all 'txn_*'
equal 'stats: zeros are left out' "$(p stats | grep -c ' 0  ')" 0
start rates p stats --watch 1 --count 2 --all client_requests_started
watcher=$pid
check 'stats: rates' wait "$watcher"
equal 'stats: two rounds' "$(grep -c '^-- ' /tmp/rates.log)" 2

# ---------------------------------------------------------------- RPCs

all_live() { [ "$(live on h1)" = 300 ]; }

live() { echo $("$@" p4ctl -j rpc | grep -c '"side"'); }

patience=$(on h1 sysctl -n net.homa.timeout_ticks)
on h1 sysctl -q -w net.homa.timeout_ticks=100000
on h1 tc qdisc add dev eth0 root netem loss 100%
start_on h1 many rpc client --to 10.0.0.2:4000 --len 2000 --count 300 --parallel 300
many=$pid
await 60 all_live
equal 'rpc: all of them' "$(live on h1)" 300
check 'rpc: what is known of one' shows ' 10.0.0.2:4000 2000/2000/2000 0/0/0 ' rpc --client
equal 'rpc: none has its server here' "$(p rpc --server | grep -c outgoing)" 0
equal 'rpc: those of a tenant' "$(p rpc --tenant 7 | grep -c outgoing)" 0
equal 'rpc: not in the other namespace' "$(live on h2)" 0
equal 'rpc: not for other users' "$(live on h1 setpriv --reuid 1001 --clear-groups)" 0
on h1 tc qdisc del dev eth0 root
check 'rpc: the listing does not disturb them' wait $many
on h1 sysctl -q -w net.homa.timeout_ticks="$patience"

# ---------------------------------------------------------------- events

# A listener is there when it has told of something: what is set already is set until then.
listen() {	# listen NAME ARGUMENT...
	log=/tmp/$1.log
	start "$@"
	await 30 sh -c "ip netns exec h1 p4ctl policy set grace 30ms; [ -s $log ]"
}
listen text p events
listen json p -j events
start one p events --count 1
one=$pid
p tenant add 9 name gone
p tenant del 9
p geometry set registers 20 blocks 16 flows 512
await 30 grep -q '"flows":512' /tmp/json.log
await 30 grep -q 'flows 512' /tmp/text.log
check 'events: tenant' grep -q '{"event":"tenant","value":{"id":9,"name":"gone"' /tmp/json.log
check 'events: tenant del' grep -q '{"event":"tenant_del","value":{"id":9}}' /tmp/json.log
check 'events: lines in the words of commands' grep -q \
	' tenant replace 9 name gone uid none gid none weight 100 min-blocks 0 ' /tmp/text.log
check 'events: end after a count' await 30 sh -c "ip netns exec h1 p4ctl policy set grace 30ms
	! kill -0 $one"

# ---------------------------------------------------------------- what show prints can be run

p show > /tmp/rack.conf
cat /tmp/rack.conf | sed 's/^/  /'
on h2 sh /tmp/rack.conf
equal 'show: runs in another namespace' "$(on h2 p4ctl show)" "$(p show)"
p tenant set 7 weight 1 name other
p policy set allocator none lease-max 1s
p sysctl set resend_interval=5
check 'show: runs again where it was printed' on h1 sh -e /tmp/rack.conf
equal 'show: everything is back' "$(p show)" "$(cat /tmp/rack.conf)"
equal 'show: json has the same tenants' "$(p -j show | grep -c '"max_rpcs"')" 2

# ---------------------------------------------------------------- errors

before=$(p show)
check 'errors: the module explains' refused 1 'MAX_BLOCKS' tenant set 7 min-blocks 9
check 'errors: exists' refused 1 'tenant 7 exists already' tenant add 7
check 'errors: not there' refused 1 'there is no tenant 5' tenant set 5 weight 1
check 'errors: not there to delete' refused 1 'there is no tenant 5' tenant del 5
check 'errors: not there to show' refused 1 'there is no tenant 5' tenant show 5
check 'errors: a right stays' refused 1 'uid: the tenant has one' tenant set 7 uid none
check 'errors: range' refused 2 'weight: '\''0'\'' is out of range; accepted: 1..1000' tenant set 7 weight 0
check 'errors: word' refused 2 "did you mean 'weight'?" tenant set 7 wieght 5
check 'errors: switch' refused 1 'cannot reach p4switch at /run/p4switch.sock' switch show
check 'errors: allocator that was named' refused 1 'cannot reach p4allocd at /nowhere' \
	alloc show --allocd /nowhere
not_root() {
	! on h1 setpriv --reuid 1001 --regid 1001 --clear-groups p4ctl "$@" > /tmp/not-root.log 2>&1 &&
		cat /tmp/not-root.log && grep -q 'CAP_NET_ADMIN' /tmp/not-root.log
}
check 'errors: tenant add needs root' not_root tenant add 10
check 'everybody may look' on h1 setpriv --reuid 1001 --regid 1001 --clear-groups p4ctl alloc show
equal 'errors: nothing changed' "$(p show)" "$before"

# ---------------------------------------------------------------- the end

check 'tenant del' p tenant del 7
check 'tenant del: gone' refused 1 'there is no tenant 7' tenant show 7
stop "$server" || true
ip netns del h1
ip netns del h2
await 30 rmmod p4homa
check 'without the module: what to do' sh -c 'p4ctl tenant show 2>&1 | grep "modprobe p4homa"'
check 'without the module: knobs' sh -c 'p4ctl sysctl show 2>&1 | grep "modprobe p4homa"'
finish
