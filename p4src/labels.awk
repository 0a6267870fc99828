# SPDX-License-Identifier: GPL-2.0-or-later
# Puts each label in front of its instruction. Of several labels at one place the first stays; a
# label at a `jmp` becomes that jump's target; labels that nobody jumps to and jumps to the
# next instruction go. Labels are `NAME :` on a line of their own, inside of `apply`.

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

function resolve_jumps(	i, l, f)
{
	for (i = 1; i <= lines; i++) {
		split(text[i], f, " ")
		if (f[1] !~ /^jmp/)
			continue
		l = target(f[2])
		sub(" " f[2], " " l, text[i])
		if (f[1] == "jmp" && here[i + 1] == l)
			text[i] = ""
		else
			used[l] = 1
	}
}

function print_body(	i)
{
	for (i = 1; i <= lines; i++)
		if (text[i] != "")
			print "\t" (here[i] in used ? here[i] " :\t" : "") text[i]
}

/^apply/ { print; inside = 1; next }
!inside { print; next }
/^}/ { thread_jumps(); resolve_jumps(); print_body(); print; inside = 0; next }
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
