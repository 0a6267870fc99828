#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k um -i -t 120
# files: build/test/guest/rpc
# In virtual time: the module is unloaded while a device holds packets of a message, merged into one
# and waiting for the next, as it does where gro_flush_timeout is set.
. /lib/scenario.sh

two_hosts
on h1 ethtool -K eth0 tso off gso off > /dev/null
on h2 ethtool -K eth0 gro on > /dev/null
on h1 sysctl -q -w net.homa.unsched_bytes=7120	# full packets: a short one is the last that is merged
on h1 sysctl -q -w net.homa.resend_ticks=10000	# nothing comes behind them
on h1 ping -c 1 10.0.0.2 > /dev/null
received() { on h2 awk '$1 == "packets_rcvd_DATA" { n += $2 } END { print n + 0 }' /proc/net/homa_metrics; }

# They are on the way while their socket is closed.
on h2 sh -c 'echo 1000000000 > /sys/class/net/eth0/gro_flush_timeout'
tc -n h1 qdisc add dev eth0 root netem delay 300ms
start_on h1 client rpc client --to 10.0.0.2:4000 --len 200000 --count 1
sleep 0.01
tc -n h1 qdisc change dev eth0 root netem delay 300ms loss 100%
crash $pid 2> /dev/null
sleep 0.5
equal 'they are held' "$(received)" 0
check 'unload' rmmod p4homa
sleep 2
finish
