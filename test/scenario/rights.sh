#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k x86 -t 300
# files: build/test/guest/tenant-rights build/test/guest/netlink-bad build/test/guest/txn-errors build/bin/p4ctl
# Who may use a tenant; what bad netlink requests, system calls and arguments get.
. /lib/scenario.sh

refused() {	# refused WORD COMMAND...: it fails and its text has the word
	word=$1
	shift
	! "$@" > /tmp/refused.log 2>&1 || { cat /tmp/refused.log; return 1; }
	cat /tmp/refused.log
	grep -q -e "$word" /tmp/refused.log
}

two_hosts
check 'a tenant may be used by its uid and gid only' on h1 tenant-rights
check 'bad netlink requests name the attribute, nothing changes' on h1 netlink-bad
check 'bad transactions get the promised errors' on h2 txn-errors
on h1 p4ctl tenant add 7 name shop
before=$(on h1 p4ctl show)
check 'p4ctl: tenant id' refused 16777215 on h1 p4ctl tenant add 16777216
check 'p4ctl: weight' refused 1000 on h1 p4ctl tenant add 8 weight 1001
check 'p4ctl: not for everybody' refused . on h1 setpriv --reuid 1001 --regid 1001 --clear-groups \
	p4ctl tenant add 8
equal 'p4ctl: what was refused changed nothing' "$(on h1 p4ctl show)" "$before"
finish
