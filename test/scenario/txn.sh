#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k x86 -t 300
# guest: -k backports -t 240
# files: build/test/guest/txn-once build/test/guest/txn-races build/test/guest/fake-switch
# The kernel's side of switch transactions: once each, whatever a switch that answers by the book
# has to do with a network that does not. h2 is the switch.
. /lib/scenario.sh

faulty() {	# faulty WHAT "FAULTS" [OPTION...]
	what=$1 faults=$2
	shift 2
	epoch=$((epoch + 1))
	# shellcheck disable=SC2086
	start_on h2 fake-switch fake-switch --epoch $epoch $faults
	fake=$pid
	await 60 grep -q ready /tmp/fake-switch.log
	check "$what" on h1 txn-once --switch 10.0.0.2 --epoch $epoch --count 200 --flows 8 "$@"
	stop $fake || true
}

epoch=0
two_hosts
# Seven false replies before each true one take a slow guest its time; what is never repeated fails after
# 10 s as well.
on h1 sysctl -q -w net.homa.txn_timeout_us=10000000
faulty 'nothing lost' ''
faulty 'requests lost' '--lose-request 3' --expect txn_resent=1
faulty 'replies lost' '--lose-reply 3' --expect txn_resent=1
faulty 'replies repeated' '--repeat 3'
faulty 'a switch slower than the first repeat' '--delay 16' --count 100 --most txn_resent=300
faulty 'forged replies' '--forge'
faulty 'everything at once' '--lose-request 3 --lose-reply 4 --repeat 2 --forge'
faulty 'done, then forgotten' '--forget 5' --in-doubt --expect txn_in_doubt=1
faulty 'another version' '--other-version' --status 4
check 'races of close, shutdown, join and grants' on h1 txn-races 10.0.0.2 20
ip netns del h1
ip netns del h2
check 'the module can be unloaded' rmmod p4homa
touch /run/leakscan
finish
