#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest.sh PROGRAM... - in the guest of `make bench-alloc`
status=0
for program; do
	bench-$program || { echo "failed $program"; status=1; }
done
exit $status
