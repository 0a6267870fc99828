#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# guest: -k stock -t 240
# files: build/test/guest/rpc build/bin/p4ctl
# What can be seen of the transport: /proc/net/homa_metrics as scripts read it, and tracepoints.
. /lib/scenario.sh

metrics() { on "$1" cat /proc/net/homa_metrics; }

total() {	# total HOST NAME: of all cores
	metrics "$1" | awk -v name="$2" '$1 == name { n += $2 } END { print n + 0 }'
}

well_formed() {	# a name in 30 columns, a value in 20, two blanks, a meaning; the clock, then cores
	metrics h1 > /tmp/metrics
	! grep -v -E '^[a-zA-Z0-9_]+ *[0-9]+  .+' /tmp/metrics || return 1
	awk '{ if (length($1) > 30 || substr($0, 32, 20) + 0 != $2 || substr($0, 52, 2) != "  ") exit 1 }
		NR == 1 && $1 != "time_cycles" || NR == 2 && $1 != "cpu_khz" || NR == 3 && $1 != "core" {
			exit 1 }' /tmp/metrics
}

two_hosts
start_server h2
check 'RPCs' on h1 rpc client --to 10.0.0.2:4000 --len 100,5000,200000 --count 10
check 'the form' well_formed
equal 'a block for each core' "$(metrics h1 | grep -c '^core ')" "$(nproc)"
equal 'requests' "$(total h1 client_requests_started)" 30
equal 'their bytes' "$(total h1 client_request_bytes_started)" 2051000
equal 'responses' "$(total h1 client_responses_done)" 30
equal 'messages of 65 to 128 bytes' "$(total h1 msg_bytes_128)" 1000
equal 'messages of 4097 to 5120 bytes' "$(total h1 msg_bytes_5120)" 50000
equal 'long messages' "$(total h1 large_msg_count) $(total h1 large_msg_bytes)" '10 2000000'
equal 'bytes at priorities are those that were sent' "$(metrics h1 | awk '
	/^priority[0-7]_bytes / { n += $2 } END { print n }')" 2051000
equal 'p4ctl has the same sum' "$(on h1 p4ctl stats client_requests_started | awk 'NR == 2 { print $2 }')" 30
check 'another namespace counts for itself' [ "$(total h2 client_requests_started)" -lt 10 ]	# start_server's

mount -t tracefs trace /sys/kernel/tracing 2> /dev/null || true
cd /sys/kernel/tracing
echo 1 > events/p4homa/enable
on h1 rpc client --to 10.0.0.2:4000 --len 100,100000 --count 1 > /dev/null
on h1 rpc client --to 10.0.0.2:4001 --len 100 --count 1 --max-failed 1 > /dev/null 2>&1 || true
echo 0 > events/p4homa/enable
traced() { grep -q -E "$1" trace; }
check 'trace: states' traced 'homa_rpc_state: id=[0-9]*[02468] peer=.*10.0.0.2 port=4000 outgoing -> incoming'
check 'trace: packets sent' traced 'homa_packet_sent: .* DATA ports=[0-9]+,4000 offset=0 len=156'
check 'trace: packets that came' traced 'homa_packet_rcvd: .* DATA ports=[0-9]+,4000 len=156'
check 'trace: grants' traced 'homa_grant: id=[0-9]+ peer=.*10.0.0.[12] up to [0-9]+ at priority'
check 'trace: drops with their reason' traced 'homa_drop: .* DATA ports=[0-9]+,4001 .* drop_no_socket'
cd /
stop_server 'each request ran once, no byte is wrong'
check 'the module can be unloaded' rmmod p4homa
finish
