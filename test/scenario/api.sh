#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -t 120
# files: build/test/guest/api build/test/guest/api32
# The socket interface value by value, in both address families, for 64-bit and 32-bit programs.
. /lib/scenario.sh

ip link set lo up
for program in api api32; do
	check "$program over IPv4" $program 4
	check "$program over IPv6" $program 6
	check "$program over IPv4 from AF_INET6" $program mapped
done
finish
