#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# rack.sh - runs in the guest: a rack of $HOSTS hosts, and what $JOBS says, one after the other
#
#   h1 eth0 10.0.0.1 --- p1 \
#   h2 eth0 10.0.0.2 --- p2  sw: br0       cables and ports: rackport.ko
#   ...                     /
#
# A job is NAME=ARGUMENTS, spaces as commas: of p4load run, or `sustain TRANSPORT WORKLOAD SECONDS`.
# What it prints goes to /out/NAME. Times on an idle network of each of $TRANSPORTS are in
# /out/reference, measured first. Hosts have the queueing discipline $QDISC; $MIX_QDISC where Homa and
# TCP are together (mix-NAME, but not plain-NAME) and in what is compared with that (alone-NAME).
set -eu
HOSTS=${HOSTS:-8}

rack() {
	insmod /lib/rackport.ko hosts=$HOSTS rate_mbps=${RATE:-10000}
	sysctl -qw net.core.somaxconn=4096 net.core.wmem_max=4000000
	ip netns add sw
	ip -n sw link add br0 type bridge
	ip -n sw link set br0 up
	for i in $(seq $HOSTS); do
		ip netns add h$i
		ip netns exec h$i sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1 net.ipv4.tcp_max_syn_backlog=65536 \
			${SYSCTLS:-}
		# asleep, a thread costs nothing; one that spins reads the clock for each nanosecond
		ip netns exec h$i sysctl -qw net.homa.poll_usecs=0
		ip link set host$i netns h$i name eth0
		ip -n h$i link set eth0 address 02:00:00:00:00:$(printf %02x $i)
		ip -n h$i addr add 10.0.0.$i/24 dev eth0
		ip -n h$i link set lo up
		ip -n h$i link set eth0 up
		ip link set port$i netns sw name p$i
		ip netns exec sw sysctl -qw net.ipv6.conf.p$i.disable_ipv6=1
		ip -n sw link set p$i master br0 up
		ip -n sw link set p$i type bridge_slave learning off flood on
		bridge -n sw fdb replace 02:00:00:00:00:$(printf %02x $i) dev p$i master static
	done
	for i in $(seq $HOSTS); do
		for k in $(seq $HOSTS); do
			[ $i = $k ] || echo "neigh add 10.0.0.$k lladdr 02:00:00:00:00:$(printf %02x $k) dev eth0"
		done | ip -n h$i -batch -
	done
}

set_qdisc() {
	for i in $(seq $HOSTS); do
		tc -n h$i qdisc replace dev eth0 root $1
	done
}

# sustain TRANSPORT WORKLOAD SECONDS: the highest load at which what is done keeps up with what is begun.
# TCP's time-outs of 200 ms are part of a steady state, so the warm-up is longer than they are.
sustain() {
	low=20 high=100
	while [ $((high - low)) -gt 2 ]; do
		load=$(((low + high) / 2))
		p4load run --hosts $HOSTS --reference /out/reference --workload $2 --stream $1:$load \
			--seconds $3 --warmup 0.25 > /tmp/sustain
		if awk '$1 == "total" && $8 >= 0.97 { ok = 1 } $1 == "overload" { ok = 0 } END { exit !ok }' \
			/tmp/sustain; then
			low=$load
		else
			high=$load
		fi
	done
	echo "sustained $1 $low"
}

rack
set_qdisc "$QDISC"
for t in $TRANSPORTS; do
	p4load idle $t --hosts $HOSTS
done > /out/reference
for job in $JOBS; do
	name=${job%%=*}
	arguments=$(echo "${job#*=}" | tr , ' ')
	case $name in
	mix-*|alone-*)	set_qdisc "$MIX_QDISC" ;;
	*)		set_qdisc "$QDISC" ;;
	esac
	case $arguments in
	sustain*)
		$arguments ;;
	*)
		p4load run --hosts $HOSTS --reference /out/reference $arguments ;;
	esac > /out/$name.part
	mv /out/$name.part /out/$name
	echo "rack: done $WORKLOAD $name"
done
