# SPDX-License-Identifier: GPL-2.0-or-later
# Puts each label in front of its instruction. Of several labels at one place the first stays; a
# label at a `jmp` becomes that jump's target; a `jmp` to a conditional one becomes that one and a `jmp`
# behind it, which is one instruction less on the way if it jumps; labels that nobody jumps to and jumps
# to the next instruction go. Labels are `NAME :` on a line of their own, inside of `apply`.

function target(l)
{
	while (l in alias)
		l = alias[l]
	return l
}

function thread_jumps(	i, l, n, f, labels)
{
	for (i = 1; i <= lines; i++) {
		n = split(here[i], labels, " ")
		split(text[i], f, " ")
		for (l = 1; l <= n; l++)
			if (f[1] == "jmp")
				alias[labels[l]] = f[2]
			else if (l > 1)
				alias[labels[l]] = labels[1]
		here[i] = n && f[1] != "jmp" ? labels[1] : ""
	}
}

function copy_conditions(	i, j, f, at)
{
	for (i = 1; i <= lines; i++)
		if (here[i])
			at[here[i]] = i
	for (i = 1; i <= lines; i++) {
		split(text[i], f, " ")
		j = f[1] == "jmp" ? at[target(f[2])] : 0
		if (j <= i + 1 || text[j] !~ /^jmp[a-z]/)
			continue
		if (here[j + 1] == "")
			here[j + 1] = "LABEL_AFTER_" j
		text[i] = text[j]
		more[i] = "jmp " here[j + 1]
	}
}

function resolved(line,	f, l)
{
	split(line, f, " ")
	if (f[1] !~ /^jmp/)
		return line
	l = target(f[2])
	used[l] = 1
	sub(" " f[2], " " l, line)
	return line
}

function resolve_jumps(	i, f)
{
	for (i = 1; i <= lines; i++) {
		split(text[i], f, " ")
		if (f[1] == "jmp" && here[i + 1] == target(f[2]))
			text[i] = ""
		text[i] = resolved(text[i])
		more[i] = resolved(more[i])
	}
}

function print_body(	i)
{
	for (i = 1; i <= lines; i++)
		if (text[i] != "")
			print "\t" (here[i] in used ? here[i] " :\t" : "") text[i] \
				(more[i] ? "\n\t" more[i] : "")
}

/^apply/ { print; inside = 1; next }
!inside { print; next }
/^}/ { thread_jumps(); copy_conditions(); resolve_jumps(); print_body(); print; inside = 0; next }
{
	sub(/^[ \t]+/, "")
	if ($2 == ":")
		pending = pending " " $1
	else {
		text[++lines] = $0
		here[lines] = pending
		pending = ""
	}
}
