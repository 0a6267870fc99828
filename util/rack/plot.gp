# SPDX-License-Identifier: GPL-2.0-or-later
# gnuplot -e 'dir="build/rack"; name="w3 all 80"; ...' plot.gp, see util/rack/run
# Slowdown of messages by size: for each transport a file DIR/plot-TRANSPORT with the columns decile,
# largest message of the decile, median and 99th percentile.
set terminal svg size 900,480 background "white" font "sans,13"
set output out
set title title
set logscale y
set xlabel "messages by size, each tick a tenth of all; largest of the tenth in bytes"
set ylabel "slowdown"
set grid ytics lc rgb "#dddddd"
set xrange [0.5:10.5]
set key left top
set style data linespoints
plot for [t in transports] sprintf("%s/plot-%s", dir, t) using 1:4:xtic(2) lw 2 title t." p99", \
	for [t in transports] sprintf("%s/plot-%s", dir, t) using 1:3 dt 2 title t." p50"
