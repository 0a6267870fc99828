// SPDX-License-Identifier: GPL-2.0-or-later
/* help.c - see help.h */
#include <string.h>

#include "help.h"

const struct cmd *cmd_find(const struct cmd *sub, const char *name)
{
	for (; sub && sub->name; sub++)
		if (!strcmp(sub->name, name))
			return sub;
	return NULL;
}

static void print_synopsis(FILE *out, const struct arg_spec *s)
{
	for (; !arg_spec_ends(s); s++)
		fprintf(out, " %s%s%s%s%s%s", s->required ? "" : "[", s->word ? s->word : "",
			s->word && s->value ? " " : "", s->value ? s->value : "",
			s->many ? "..." : "", s->required ? "" : "]");
}

void help_usage(FILE *out, const char *path, const struct cmd *cmd)
{
	fprintf(out, "Usage: %s", path);
	if (cmd->sub)
		fprintf(out, " COMMAND ...");
	else
		print_synopsis(out, cmd->args);
	fputc('\n', out);
}

static void print_sub(FILE *out, const struct cmd *sub)
{
	for (; sub->name; sub++)
		fprintf(out, "  %-12s %s\n", sub->name, sub->summary);
}

static void print_args(FILE *out, const struct arg_spec *s)
{
	char left[48], accepts[96];

	for (; !arg_spec_ends(s); s++) {
		snprintf(left, sizeof(left), "%s%s%s%s%s", s->brief ? s->brief : "",
			 s->brief ? ", " : "", s->word ? s->word : "",
			 s->word && s->value ? " " : "", s->value ? s->value : "");
		arg_accepts(s, accepts, sizeof(accepts));
		fprintf(out, "  %-18s %s%s%s%s\n", left, s->help, *accepts ? " (" : "", accepts,
			*accepts ? ")" : "");
	}
}

void help_print(FILE *out, const char *path, const struct cmd *cmd)
{
	fprintf(out, "%s - %s\n\n", path, cmd->summary);
	help_usage(out, path, cmd);
	if (cmd->sub) {
		fputs("\nCommands:\n", out);
		print_sub(out, cmd->sub);
	} else if (!arg_spec_ends(cmd->args)) {
		fputs("\nArguments:\n", out);
		print_args(out, cmd->args);
	}
	fputs("\nOptions:\n"
	      "  -j, --json         print JSON for programs\n"
	      "  -h, --help         print this help; works after every command\n", out);
	if (cmd->about)
		fprintf(out, "\n%s", cmd->about);
}

static void complete_args(FILE *out, const struct arg_spec *specs, int argc, char *const *argv)
{
	static const char *const marks[] = {
		[WORDS_TENANTS] = "@tenants", [WORDS_KNOBS] = "@knobs", [WORDS_FILES] = "@files",
	};
	const struct arg_spec *s;

	for (s = specs; argc && !arg_spec_ends(s); s++) {
		if (s->type == ARG_FLAG || !arg_spec_has(s, argv[argc - 1], strlen(argv[argc - 1])))
			continue;
		if (s->words)		/* the word before wants this kind of value, nothing else */
			fprintf(out, "%s\n", marks[s->words]);
		return;
	}
	for (s = specs; !arg_spec_ends(s); s++) {
		if (s->word)
			fprintf(out, "%s\n", s->word);
		else if (s->words && (!argc || s->many))
			fprintf(out, "%s\n", marks[s->words]);
	}
	fputs("--json\n--help\n", out);
}

void help_complete(FILE *out, const struct cmd *root, int argc, char *const *argv)
{
	const struct cmd *cmd = root, *next;
	const struct cmd *sub;

	for (; argc && cmd->sub; argc--, argv++) {
		next = argv[0][0] == '-' ? cmd : cmd_find(cmd->sub, argv[0]);
		if (!next)
			return;
		cmd = next;
	}
	if (!cmd->sub) {
		complete_args(out, cmd->args, argc, argv);
		return;
	}
	for (sub = cmd->sub; sub->name; sub++)
		fprintf(out, "%s\n", sub->name);
	fputs("--json\n--help\n", out);
}
