# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the measuring scripts share; they run in a guest
#
# They print `raw ROW TRANSPORT DONE P50 P99 RATE GBIT` (ns, 1/s, Gbit/s) and `value ROW FIGURE
# TRANSPORT NUMBER` as each is done, and `failed ROW TRANSPORT` for what could not be measured.
. /lib/scenario.sh

wanted=" $* "
wants() { case $wanted in *" $1 "*) return 0 ;; esac; return 1; }
wants_any() { case $wanted in *" $1"*) return 0 ;; esac; return 1; }

member() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" /tmp/result; }	# of what p4bench -j has left there

raw() {		# raw ROW TRANSPORT
	echo "raw $1 $2 $(member done) $(member p50_ns) $(member p99_ns) $(member rate) $(member gbit)"
}

failed() {	# failed ROW TRANSPORT LOG...
	echo "failed $1 $2"
	shift 2
	sed 's/^/  /' "$@"
}

answers() {	# answers TRANSPORT: the server does
	on $client_host p4bench client --to $address:$port --transport $1 --count 1 --warmup 1 --timeout 5
}

# measure ROW TRANSPORT SERVER_OPTIONS CLIENT_OPTIONS: from $client_host to $server_host, which has
# $address, with a new server, so that none inherits anything. The client warms up by itself.
port=4000
measure() {
	row=$1 transport=$2
	start_on "$server_host" server p4bench server --transport $transport --port $port $3
	server=$pid
	if await 20 answers $transport && on $client_host p4bench client --to $address:$port \
			--transport $transport --timeout 120 -j $4 > /tmp/result 2>&1; then
		raw $row $transport
	else
		failed $row $transport /tmp/result /tmp/server.log
	fi
	kill -9 $server
	wait $server 2> /dev/null || true
	port=$((port + 1))
}
