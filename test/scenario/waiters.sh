#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k x86 -t 300
# files: build/test/guest/waiters
# Threads that wait for messages, spinning for a while before they sleep, and not.
. /lib/scenario.sh

for usecs in 0 50; do
	sysctl -q -w net.homa.poll_usecs=$usecs
	check "with poll_usecs $usecs" waiters 200
done
finish
