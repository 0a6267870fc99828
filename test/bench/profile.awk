#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0-or-later
# profile.awk SYMBOLS TRACE - counts the instructions of `trips` round trips by function
#
# SYMBOLS: address and name of each kernel function. TRACE: QEMU's log of executed blocks of one
# instruction each. A round trip is two entries of the function `call`. Addresses have all 16 hex
# digits, so they compare as strings.
#
# The call stack is guessed: the first instruction of a function is a call, an instruction in the
# middle of one that is on the stack is a return to it. After a switch of tasks the stack is new, and
# what is returned to is put below.

function sort_symbols(lo, hi,	i, j, pivot, t) {	# quicksort of addr[], name[] along
	while (lo < hi) {
		pivot = addr[int((lo + hi) / 2)]
		i = lo; j = hi
		while (i <= j) {
			while (addr[i] < pivot) i++
			while (addr[j] > pivot) j--
			if (i <= j) {
				t = addr[i]; addr[i] = addr[j]; addr[j] = t
				t = name[i]; name[i] = name[j]; name[j] = t
				i++; j--
			}
		}
		sort_symbols(lo, j)
		lo = i
	}
}

function find(pc,	lo, hi, mid) {
	if (pc < "8000000000000000")
		return "user space"
	lo = 1; hi = nr
	while (lo < hi) {
		mid = int((lo + hi + 1) / 2)
		if (addr[mid] <= pc) lo = mid; else hi = mid - 1
	}
	if (addr[lo] == pc)
		starts[pc] = 1
	return name[lo]
}

function enter(f) {
	stack[++depth] = f
	on_stack[f]++
}

function leave() {
	on_stack[stack[depth--]]--
}

function step(f, is_start) {
	if (is_start && f != stack[depth]) {
		enter(f)
	} else if (f != stack[depth]) {
		if (on_stack[f]) {
			while (stack[depth] != f) leave()
		} else {
			while (depth) leave()
			enter(f)
		}
	}
	if (f == "__switch_to_asm")
		while (depth > 1) leave()
}

function report(	f) {
	printf "%10.1f  in all\n", total / trips
	for (f in below)
		printf "%10.1f  in and below %s\n", below[f] / trips, f | "sort -rn | head -" top
	close("sort -rn | head -" top)
	for (f in self)
		printf "%10.1f  %7.2f  %s\n", self[f] / trips, entered[f] / trips, f | "sort -rn | head -" top
	close("sort -rn | head -" top)
}

FNR == NR { addr[++nr] = $1; name[nr] = $2; next }
nr && !sorted { sort_symbols(1, nr); sorted = 1 }
/^Trace/ {
	split($0, part, "/")
	pc = part[2]
	if (!(pc in symbol))
		symbol[pc] = find(pc)
	f = symbol[pc]
	is_start = pc in starts
	if (is_start && f == call && calls++ == 2 * trips)
		exit
	if (!calls)
		next
	total++
	self[f]++
	if (is_start)
		entered[f]++
	if (f == "user space")
		while (depth) leave()
	else
		step(f, is_start)
	for (i = 1; i <= depth; i++)
		below[stack[i]]++
}
END { report() }
