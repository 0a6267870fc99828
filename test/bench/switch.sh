#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# switch.sh - transactions of 8 instructions with p4switch, and echoes between two hosts through it
#
# The switch never naps here: it polls, as it would on a core of its own.
. /lib/bench.sh

nap=0
rack
client_host=h1 server_host=h2 address=10.0.0.2
measure switch udp "" "--len 100 --count 1000"
if on h1 txn-rtt --switch 10.0.0.254 --control /run/p4switch.sock --count 1000 > /tmp/result 2>&1; then
	# ...: 1000 done, p50 68369 p99 71925 ns, 14535 /s
	sed 's/.*: //' /tmp/result | awk '{ print "raw switch homa", $1, $4, $6, $8, 0 }'
else
	failed switch homa /tmp/result
fi
finish
