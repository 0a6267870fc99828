#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# profile-guest.sh TRANSPORT LENGTH PARALLEL cable|loopback|virtio - runs in the guest of test/bench/profile:
# prints the kernel's text symbols, then does round trips until the machine is stopped.
. /lib/scenario.sh

round_trips() {	# round_trips COUNT
	on $client p4bench client --to $to:4000 --transport $transport --len $length \
		--outstanding $parallel --count $1 $many
}

transport=$1 length=$2 parallel=$3 to=10.0.0.2 client=h1
case $4 in
virtio)
	for n in 1 2; do
		ip netns add h$n
		ip link set eth$((n - 1)) name nic
		ip link set nic netns h$n name eth0
		ip -n h$n addr add 10.0.0.$n/24 dev eth0
		ip -n h$n link set lo up
		ip -n h$n link set eth0 up
	done
	;;
loopback)
	two_hosts
	client=h2 to=127.0.0.1
	;;
cable)
	two_hosts
	;;
esac
many=
case $transport.$parallel in
*.1) ;;
homa.*) many="--batch 64" ;;
tcp.*) many=--epoll ;;
esac
start_on h2 server p4bench server --transport $transport --port 4000 $many
await 60 round_trips 500
echo "profile: symbols"
awk 'tolower($2) == "t" || tolower($2) == "w" { print $1, $3 }' /proc/kallsyms | gzip | base64
echo "profile: go"
round_trips 1000000
