#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# switch-cost.sh homa|udp|lock|redis - in the guest of switch-cost: prints the addresses of some
# functions, then does round trips until the machine is stopped
. /lib/bench.sh

nap=0
# Memory from the bottom up: the switch's libraries are where no host's are, see switch-cost.awk.
start_switch() {
	start_on sw p4switch setarch x86_64 -L p4switch --port p1 --port p2 --port pa \
		--spec /lib/p4db.spec --socket /run/p4switch.sock --max-nap 0
	await 120 p4ctl switch show
}

trips() {	# trips COUNT
	case $work in
	homa)
		epoch=$((${epoch:-0} + 1))
		on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --epoch $epoch --count $1
		;;
	udp)	on h1 p4bench client --transport udp --to 10.0.0.2:4000 --count $1 --warmup 1 ;;
	lock)	on h1 bench-net-cells -w 100 1 often $1 ;;
	redis)	on h1 bench-net-locks redis 10.0.0.2 6379 1 $1 ;;
	esac
}

work=$1
# each with the address where the next one begins
awk -v wanted='^(net_rx_action|handle_softirqs|__do_softirq|__switch_to_asm|__sys_sendmsg|udp_sendmsg|tcp_sendmsg|homa_txn_sendmsg)$' \
	'$2 ~ /[tT]/ {
		if (name && $1 != from) { print "cost: symbol", name, from, $1; name = "" }
		if ($3 ~ wanted) {
			name = $3; from = $1
		}
	}' /proc/kallsyms
rack
case $work in
homa)	;;
udp)	start_on h2 server p4bench server --transport udp ;;
lock)	start_allocator ;;
redis)	start_on h2 redis redis-server --port 6379 --bind 10.0.0.2 --protected-mode no --save '' \
		--appendonly no --dir /tmp ;;
esac
await 60 trips 300
trips 1000000 &
sleep 0.3	# until the scheduler lets a client that is woken up preempt the switch at once
echo "cost: go"
wait $!
