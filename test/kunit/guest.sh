#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs in the guest: loading a suite's module runs the suite.
for suite in /suites/*.ko; do
	insmod "$suite" || echo "not ok load ${suite##*/}"
	# um never clears what KASAN knows of an unloaded module's variables, and then finds faults in
	# whatever comes to lie there
	[ ! -e /sys/kernel/debug/kmemleak ] || rmmod "$suite"
done
touch /run/leakscan
