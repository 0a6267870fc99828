# SPDX-License-Identifier: GPL-2.0-or-later
# plot.gp - gnuplot -e "dir='build/bench'" plot.gp: figures.csv and ratios.csv of `make bench` as SVG
#
# round-trips.svg: p50 by length on each link. ratios.svg: each figure as a multiple of what it is
# compared with, and its limit.
set datafile separator ","
figures = dir."/figures.csv"

# length and p50 (us) of the round trips of one transport on one link
trips(link, transport) = "< awk -F, -v l='".link."' -v t='".transport."' '\
	BEGIN { n[\"rpc100\"] = 100; n[\"rpc1k\"] = 1e3; n[\"rpc10k\"] = 1e4; n[\"rpc60k\"] = 6e4; n[\"rpc200k\"] = 2e5 } \
	{ r = $1; has = sub(\"^\" l, \"\", r) } \
	has && $2 == \"p50\" && $3 == t && r in n { print n[r] \",\" $4 / 1000; some = 1 } \
	END { if (!some) print \"NaN,NaN\" }' ".figures." | sort -n"

set terminal svg size 1200,420 background "white" font "sans,12"
set output dir."/round-trips.svg"
set multiplot layout 1,3
set logscale xy
set xrange [60:400000]
set yrange [10:5000]
set grid
set key bottom right
set xlabel "bytes there and back"
set ylabel "round trip, p50, us"
do for [i = 1:3] {
	set title word("veth loopback virtio-net", i)
	link = i == 1 ? "" : i == 2 ? "lo-" : "virtio-"
	plot trips(link, "homa") using 1:2 with linespoints lw 2 pt 7 title "Homa", \
		trips(link, "tcp") using 1:2 with linespoints lw 2 pt 5 title "TCP", \
		trips(link, "udp") using 1:2 with points pt 9 title "UDP"
}
unset multiplot

reset
set datafile separator ","
set terminal svg size 1200,560 background "white" font "sans,11"
set output dir."/ratios.svg"
set title "Homa as a multiple of what it is compared with; lines are limits, green is met"
set style fill solid 0.7
set boxwidth 0.7
set xtics rotate by 55 right scale 0
set bmargin 10
set yrange [0:2.5]
set grid ytics
unset key
# name,ratio,must,limit,verdict
plot dir."/ratios.csv" using 0:($2 > 2.5 ? 2.5 : $2):(strcol(5) eq "ok" ? 0x2a9d3a : 0xd04a35):xtic(1) \
		with boxes linecolor rgb variable, \
	"" using 0:4:(0.4) with xerrorbars lt -1 lw 2 pt 0
