#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -d -t 500 -M 1536
# files: -F util/demo/files
# The demo's rack, shorter; then once more with one value altered, which the oracle must find.
. /lib/scenario.sh

run_rack() { BIN=/bin SPEC=/lib/p4db.spec OUT=/tmp/rack TXNS=${1:-5000} rack.sh; }

altered_is_found() {
	! CORRUPT=1 run_rack 2000 > /tmp/altered.log || { cat /tmp/altered.log; return 1; }
	grep 'must be' /tmp/altered.log
}

check 'two tenants of two nodes: every value read and every final value' run_rack
check 'an altered value is found' altered_is_found
finish
