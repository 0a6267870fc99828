# SPDX-License-Identifier: GPL-2.0-or-later
# gnuplot -e 'data="blocks.dat"; out="blocks.svg"' plot.gp
# Draws which tenant held how many of the switch's blocks over time; columns as p4report --data
# writes them: seconds, total, then one a tenant.
set terminal svg size 1000,360 background "white" font "sans,13"
set output out
stats data skip 1 using 1:2 nooutput
total = STATS_max_y
tenants = STATS_columns - 2
set title "Blocks of the switch by tenant"
set xlabel "seconds"
set ylabel "blocks held"
set xrange [0:STATS_max_x]
set yrange [0:total + 0.6]
set ytics 1
set grid ytics lc rgb "#dddddd"
set key outside right top
held(last) = sum [c = 3:last] column(c)
plot for [t = tenants:1:-1] data using 1:(held(t + 2)) skip 1 with fillsteps \
	fs solid 0.7 noborder lc t title word(system("head -n 1 ".data), t + 2), \
	total with lines dt 2 lc rgb "#444444" title "all blocks"
