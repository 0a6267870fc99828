#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0-or-later
# figures.awk - from what the guest measured to figures with limits, a table, and a CSV
#
# usage: mawk -W interactive -f figures.awk -v csv=FILE LIMITS -
# reads `raw ...` lines of guest.sh; mawk would else wait for a full buffer
BEGIN {
	unit["p50"] = unit["p99"] = "ns"; unit["rate"] = "/s"; unit["gbit"] = "Gbit/s"
	print "row,transport,done,p50_ns,p99_ns,rate,gbit" > csv
}

# a line of limits
FILENAME != "-" {
	if (/^[^#]/) {
		n = ++limits
		row[n] = $1; figure[n] = $2; against[n] = $3; op[n] = $4; limit[n] = $5
		$1 = $2 = $3 = $4 = $5 = ""; sub(/^ +/, ""); what[n] = $0
	}
	next
}

/^raw / {
	name = $2; sub(/^veth-/, "", name)
	printf "%s,%s,%d,%d,%d,%s,%s\n", name, $3, $4, $5, $6, $7, $8 > csv
	value[name, $3, "p50"] = $5; value[name, $3, "p99"] = $6
	value[name, $3, "rate"] = $7; value[name, $3, "gbit"] = $8
	show(name, $3)
	next
}
/^(failed|not ok)/ { bad = 1 }
{ print; fflush() }

# The limits of a row: those of its own, else those of its name without the link.
function limits_of(name, i, n) {
	n = 0
	for (i = 1; i <= limits; i++)
		if (row[i] == name) list[++n] = i
	if (!n && sub(/^(lo|virtio)-/, "", name))
		return limits_of(name)
	return n
}

function show(name, transport, i, n, seen) {
	n = limits_of(name)
	for (i = 1; i <= n; i++)
		if (!((f = figure[list[i]]) in seen)) {
			seen[f]
			printf "bench: %s-%s%s %s %s\n", name, transport, label(f), value[name, transport, f], unit[f]
		}
	for (i = 1; i <= n; i++)
		if (against[list[i]] == transport && (name, "homa", figure[list[i]]) in value)
			compare(name, list[i])
		else if (transport == "homa" && (name, against[list[i]], figure[list[i]]) in value)
			compare(name, list[i])
	fflush()
}

# p50 is what a round trip is; other figures say their name.
function label(f) { return f == "p50" ? "" : "-" f }

function compare(name, i, f, a, b, r, verdict, l) {
	f = figure[i]; l = label(f)
	a = value[name, "homa", f]; b = value[name, against[i], f]
	if (!b) { bad = 1; return }
	r = a / b
	verdict = (op[i] == "<=" ? r <= limit[i] : r >= limit[i]) ? "ok" : "short"
	printf "bench: %s-homa%s/%s-%s%s %.3f ratio must %s %s %s\n", name, l, name, against[i], l, r, op[i], limit[i], verdict
	table[++rows] = sprintf("%-14s %-48s %12s %12s %-4s %7.3f  %s %-5s %s", name, what[i],
		number(a, f), number(b, f), against[i], r, op[i], limit[i], verdict == "ok" ? "ok" : "SHORT")
	count[verdict]++
}

function number(v, f) {
	return f ~ /^p/ ? sprintf("%.1f us", v / 1000) : f == "rate" ? sprintf("%.1f k/s", v / 1000) : \
		sprintf("%.2f Gb/s", v)
}

END {
	printf "\n%-14s %-48s %12s %12s %-4s %7s  %s\n", "row", "work", "homa", "against", "", "ratio", "must"
	for (i = 1; i <= rows; i++) print table[i]
	printf "\nbench: %d figures ok, %d short\n", count["ok"], count["short"]
	exit bad || !rows
}
