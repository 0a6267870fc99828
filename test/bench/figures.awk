#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0-or-later
# figures.awk - from what guests have measured to figures with limits, a table, and a CSV
#
# usage: mawk -W interactive -f figures.awk -v dir=DIR LIMITS -
# (mawk would else wait for a full buffer.) Reads as they come, and passes on other lines:
#   raw ROW TRANSPORT DONE P50 P99 RATE GBIT
#   value ROW FIGURE TRANSPORT NUMBER
BEGIN {
	unit["p50"] = unit["p99"] = "ns"; unit["rate"] = "/s"; unit["gbit"] = "Gbit/s"
	unit["memory"] = "B"; unit["instructions"] = "instructions"; unit["contended"] = "/RPC"
	csv = dir "/figures.csv"; ratios = dir "/ratios.csv"
	print "row,figure,transport,value,unit" > csv
	printf "" > ratios
}

FILENAME != "-" {
	if (/^[^#]/) {
		n = ++limits
		row[n] = $1; figure[n] = $2; against[n] = $3; op[n] = $4; limit[n] = $5
		if ($1 == "rate") basics = n	# what comes after it is on no link
		$1 = $2 = $3 = $4 = $5 = ""; sub(/^ +/, ""); what[n] = $0
	}
	next
}

/^raw / {
	name = plain($2)
	note(name, "p50", $3, $5); note(name, "p99", $3, $6)
	note(name, "rate", $3, $7); note(name, "gbit", $3, $8)
	show(name, $3)
	next
}
/^value / {
	name = plain($2)
	note(name, $3, $4, $5)
	if (!limits_of(name)) printf "bench: %s-%s %s %s\n", name, $4, $5, unit[$3]
	show(name, $4)
	next
}
/^(failed|not ok)/ { bad = 1 }
/^bench: .* must .* (ok|short)$/ { count[$NF]++ }	# judged elsewhere
{ print; fflush() }

function plain(name) { sub(/^veth-/, "", name); return name }

function note(name, f, transport, v) {
	value[name, transport, f] = v
	printf "%s,%s,%s,%s,%s\n", name, f, transport, v, unit[f] > csv
}

# The limits of a row: those of its own, else those of its name without the link.
function limits_of(name, i, n) {
	n = 0
	for (i = 1; i <= limits; i++)
		if (row[i] == name) list[++n] = i
	if (!n && sub(/^(lo|virtio)-/, "", name))
		return limits_of(name)
	return n
}

# Where a line of the table belongs: by link, then as in limits.
function place(name, i) {
	return (name ~ /^lo-/ ? 1000 : name ~ /^virtio-/ ? 2000 : i > basics ? 3000 : 0) + i
}

# What has just come, and what can now be compared.
function show(name, transport, i, n, f, v, seen, other) {
	n = limits_of(name)
	for (i = 1; i <= n; i++) {
		f = figure[list[i]]
		if (f in seen || !((name, transport, f) in value)) continue
		seen[f]
		v = value[name, transport, f]
		printf "bench: %s-%s%s %s %s%s\n", name, transport, label(f), v, unit[f],
			against[list[i]] == "-" ? judge(name, list[i], v) : ""
	}
	for (i = 1; i <= n; i++) {
		other = against[list[i]]; f = figure[list[i]]
		if ((transport == other || transport == "homa") && (name, other, f) in value &&
		    (name, "homa", f) in value)
			compare(name, list[i])
	}
	fflush()
}

# What a row shows first needs no name.
function label(f) { return f == "p99" || f == "gbit" ? "-" f : "" }

function meets(i, v) { return op[i] == "<=" ? v + 0 <= limit[i] : v + 0 >= limit[i] }

function judge(name, i, v, verdict, other) {
	verdict = meets(i, v) ? "ok" : "short"
	count[verdict]++
	other = against[i]
	table[++rows] = place(name, i)
	line[rows] = sprintf("%-14s %-52s %12s %12s %-5s %8s  %s %-5s %s", name, what[i],
		number(value[name, "homa", figure[i]], figure[i]),
		other == "-" ? "" : number(value[name, other, figure[i]], figure[i]), other,
		other == "-" ? "" : sprintf("%.3f", v), op[i], limit[i], verdict == "ok" ? "ok" : "SHORT")
	return " must " op[i] " " limit[i] " " verdict
}

function compare(name, i, f, a, b, l, r) {
	f = figure[i]; l = label(f)
	a = value[name, "homa", f] + 0; b = value[name, against[i], f] + 0
	if (!b && !a) r = 1
	else if (!b) r = 999
	else r = a / b
	r = sprintf("%.3f", r)
	printf "%s%s/%s,%s,%s,%s,%s\n", name, l, against[i], r, op[i], limit[i],
		meets(i, r) ? "ok" : "short" > ratios
	printf "bench: %s-homa%s/%s-%s%s %s ratio%s\n", name, l, name, against[i], l, r,
		judge(name, i, r)
}

function number(v, f) {
	if (f ~ /^p/) return sprintf("%.1f us", v / 1000)
	if (f == "rate") return sprintf("%.1f k/s", v / 1000)
	if (f == "gbit") return sprintf("%.2f Gbit/s", v)
	if (f == "contended") return sprintf("%.4f", v)
	return v (f == "memory" ? " B" : "")
}

END {
	if (!rows && !bad && !count["ok"] && !count["short"]) { print "bench: nothing was measured"; exit 1 }
	if (rows) printf "\n%-14s %-52s %12s %12s %-5s %8s  must\n", "row", "work", "homa", "against", "",
		"ratio"
	for (n = 1; n <= rows; n++) {
		for (i = best = 1; i <= rows; i++)
			if (table[i] < table[best]) best = i
		print line[best]
		table[best] = 1e9
	}
	printf "\nbench: %d figures ok, %d short\n", count["ok"], count["short"]
	exit bad
}
