#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0-or-later
# summary.awk - a guest's console in, its results out
#
# Prints each result line (`ok NAME`, `not ok NAME`) with what is indented below a failure, KUnit's leaves under their suite's
# name, each kernel report, and `N passed, N failed[, N skipped]`. Fails if anything failed, if
# nothing passed (but -v none_is_fine=1), or if the guest did not get to its end with status 0.
function result(bad, name) {
	if (bad) fail++; else pass++
	print (bad ? "not ok " : "ok ") name
}

{
	sub(/\r$/, "")
	line = $0
	sub(/^(<[0-9]+>)?\[ *[0-9]+\.[0-9]+\] ?/, "", line)
}

line ~ /^TESTS-START/ { started = 1; next }
line ~ /^TESTS-DONE/ { done = 1; split(line, word, " "); status = word[2] + 0; next }

line ~ /^ +# Subtest: / { suite = line; sub(/^ +# Subtest: /, "", suite) }

match(line, /^ +(not )?ok [0-9]+ /) {
	name = substr(line, RLENGTH + 1)
	sub(/^- /, "", name)
	if (name ~ /# SKIP/) { skip++; print "skipped " suite ": " name }
	else result(line ~ /^ +not/, suite ": " name)
	next
}

line ~ /^ok [^0-9]/ { result(0, substr(line, 4)); details = 0; next }
line ~ /^not ok [^0-9]/ { result(1, substr(line, 8)); details = 60; next }
details > 0 && line ~ /^  / { print line; details-- }

# KUnit says why a case fails before it says that it does.
line ~ /EXPECTATION FAILED|ASSERTION FAILED/ { reason = 8 }
reason > 0 { print "  " line; reason-- }

started && !done && line ~ /BUG: |WARNING: |UBSAN: |KASAN: |KCSAN: |circular locking|inconsistent lock state|suspicious RCU usage|sleeping function called|unreferenced object|Oops: |Kernel panic|INFO: task .* blocked|general protection|soft lockup|Out of memory/ {
	report++
	print "not ok kernel: " line
}
report && report_lines < 40 && line ~ /^ |Call Trace|RIP:/ { report_lines++; print "  " line }

END {
	fail += report
	if (!done) { fail++; print "not ok the guest ended before its tests did" }
	else if (status && !fail) { fail++; print "not ok exit status " status }
	printf "%d passed, %d failed%s\n", pass, fail, skip ? ", " skip " skipped" : ""
	exit fail > 0 || (pass == 0 && !none_is_fine)
}
