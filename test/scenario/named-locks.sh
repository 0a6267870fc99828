#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 300
# files: build/bin/p4switch build/bin/p4allocd build/bin/p4ctl build/bin/p4lock build/test/guest/lock-loop build/test/guest/event-loop build/p4db-20-4-256.spec:/lib/p4db.spec
# The lock service over the transport: nobody is inside with another one, a dead holder's lock comes
# back, a wait ends with a reason, and a restarted allocator knows who holds what. Leases are long, for
# a guest that stalls must not lose them.
. /lib/scenario.sh

lock() { host=$1; shift; on $host p4lock "$@"; }	# lock HOST OPTION... TENANT NAME COMMAND...

# inside FILE: adds its token to FILE, of which it holds a stale copy meanwhile
cat > /bin/inside << 'EOF'
#!/bin/sh
copy=$(cat $1)
sleep 0.05
echo "$copy $P4A_LOCK_TOKEN" > $1
EOF
chmod +x /bin/inside

is_ascending() {	# is_ascending COUNT NUMBER...: that many, each above the one before
	[ $# = $(($1 + 1)) ] || { echo "$*"; return 1; }
	last=0
	shift
	for n; do
		[ "$n" -gt $last ] || { echo "$*"; return 1; }
		last=$n
	done
}

status_of() { status=0; "$@" > /tmp/status.log 2>&1 || status=$?; echo $status; }

rack
start_allocator
echo > /tmp/tokens
others=
for i in 1 2 3 4 5; do
	for host in h1 h2; do
		lock $host -l 10000 1 counter inside /tmp/tokens &
		others="$others $!"
	done
done
for p in $others; do
	wait $p
done
check 'ten that want it at once: one after the other, tokens ascend' is_ascending 10 $(cat /tmp/tokens)

is_held() {	# by somebody whom the allocator knows
	[ "$(status_of lock h2 -w 0 1 $1 true)" = 75 ] && grep -q 'held with token' /tmp/status.log
}

is_gone() { ! cat /proc/[0-9]*/cmdline | tr '\0' ' ' | grep -q 'sleep 10[0] '; }

start_on h1 holder p4lock -l 6000 1 x sleep 100
holder=$pid
await 20 is_held x
equal 'who does not wait is told by whom it is held' \
	"$(grep -c 'not free: held with token' /tmp/status.log)" 1
equal 'another tenant does not care' "$(status_of lock h2 -w 0 2 x true)" 0
kill -9 $holder
check "a dead holder's command ends" await 5 is_gone
equal "a dead holder's lock comes back" "$(status_of lock h2 -w 60000 1 x true)" 0

# A lock that is used often is taken in the switch, by several hosts, and by others that ask for it.
transactions() { on $1 p4ctl -j stats | tr -d ' \n' | sed 's/.*"txn_ok","value":\([0-9]*\).*/\1/'; }

check 'one host, again and again' on h1 lock-loop -c /tmp/loop 1 often 120
sed 's/^/  /' /tmp/check.log
check 'most of that is done by the switch alone' [ $(transactions h1) -gt 150 ]
start_on h1 loop1 lock-loop -c /tmp/loop 1 often 50
loops=$pid
start_on h2 loop2 lock-loop -c /tmp/loop 1 often 50
loops="$loops $pid"
on h2 p4lock 1 often true
for p in $loops; do
	check 'two hosts at once' wait $p
done
equal 'nobody was inside with another one' "$(cut -d ' ' -f 1 /tmp/loop)" 220
start_on h1 loop1 lock-loop -l 2000 1 dead 100000
loop=$pid
sleep 1
kill -9 $loop
on h2 p4lock -w 60000 1 dead true
equal "a dead holder's comes back" "$?" 0

start_on h1 holder p4lock -l 6000 1 y sh -c \
	'until [ -e /tmp/enough ]; do sleep 0.1; done; echo $P4A_LOCK_TOKEN > /tmp/first'
holder=$pid
await 20 is_held y
crash $allocator
start_allocator
start_on h2 waiter p4lock -w 60000 1 y sh -c 'echo $P4A_LOCK_TOKEN > /tmp/second'
waiter=$pid
touch /tmp/enough
wait $holder || true
wait $waiter
check 'a holder keeps its lock over a restart, who waited gets it then' \
	is_ascending 2 $(cat /tmp/first /tmp/second)

holders=
for name in m n; do
	start_on h1 $name p4lock -l 6000 1 $name sleep 2
	holders="$holders $pid"
	await 20 is_held $name
done
check 'an event loop hears of locks that it has to wait for' on h2 event-loop 1 30 m n
for p in $holders; do
	wait $p
done
check 'a command lasts as long as it likes' lock h1 -l 6000 1 long sleep 14

start_on h1 holder p4lock -l 1000 1 z sleep 100
holder=$pid
await 20 is_held z
crash $allocator
is_over() { ! kill -0 $holder 2> /dev/null; }
check 'a command ends when the allocator is away for longer than the lease' await 30 is_over
status=0
wait $holder || status=$?
equal 'by SIGTERM' $status 143
finish
