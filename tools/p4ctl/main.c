// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4ctl - see and tune tenants, allocations and the switch: finds the command, parses its words,
 * runs it, prints what went wrong.
 *
 * Exit status: 0 done, 1 it could not be done, 2 the command line is wrong (nothing was sent).
 */
#include <string.h>

#include "cmd.h"
#include "help.h"

#define P4CTL_VERSION	"0.1"
#define WORDS_MAX	32

const struct arg_spec no_args[] = { { 0 } };

static const struct cmd commands[] = {
	{ "show", "everything that is configured, as lines that configure it again",
	  .run = show_run, .args = no_args,
	  .about = "Prints geometry, policy, tenants and sysctls of this network namespace as\n"
		   "p4ctl commands. Run here or on another host, they give the same state.\n\n"
		   "Examples:\n"
		   "  p4ctl show > rack.conf                keep the configuration\n"
		   "  sh rack.conf                          restore it\n"
		   "  ip netns exec h2 sh rack.conf         copy it to another namespace\n" },
	{ "tenant", "who may use the switch, with which share", .sub = tenant_cmds,
	  .about = "Examples:\n"
		   "  p4ctl tenant add 7 name shop user alice weight 200\n"
		   "  p4ctl tenant show\n" },
	{ "geometry", "registers, blocks and flows of the switch", .sub = geometry_cmds,
	  .about = "Examples:\n"
		   "  p4ctl geometry set registers 20 blocks 16 flows 1024\n" },
	{ "policy", "where the allocator is, and its limits", .sub = policy_cmds,
	  .about = "Examples:\n"
		   "  p4ctl policy set allocator 10.0.0.254 lease-max 2s grace 100ms\n" },
	{ "alloc", "what the tenants hold, and why", .sub = alloc_cmds,
	  .about = "Examples:\n"
		   "  p4ctl alloc show\n"
		   "  p4ctl alloc top\n"
		   "  p4ctl alloc explain 7\n"
		   "  p4ctl alloc history --since 10s --svg rack.svg\n" },
	{ "sysctl", "knobs of the transport, net.homa.*", .sub = sysctl_cmds,
	  .about = "Examples:\n"
		   "  p4ctl sysctl show\n"
		   "  p4ctl sysctl set resend_interval=20\n" },
	{ "stats", "counters of this network namespace", .run = stats_run, .args = stats_args,
	  .about = "Counters that are 0 are left out unless --all is given.\n\n"
		   "Examples:\n"
		   "  p4ctl stats                           what has been counted so far\n"
		   "  p4ctl stats 'txn_*' --all             transactions, zeros too\n"
		   "  p4ctl stats --watch 1                 rates, each second, until Ctrl-C\n"
		   "  p4ctl -j stats --watch 10 --count 6   a JSON line each 10 s\n" },
	{ "rpc", "RPCs that are alive in this network namespace", .run = rpc_run, .args = rpc_args,
	  .about = "All of them for CAP_NET_ADMIN, else those of your own sockets. An id is even\n"
		   "where the client is and one more at the server. What is granted may exceed what\n"
		   "was sent (the sender waits for its turn) or received (bytes are on their way).\n\n"
		   "Examples:\n"
		   "  p4ctl rpc                             everything\n"
		   "  p4ctl rpc --client                    what this host waits for\n"
		   "  p4ctl -j rpc --tenant 7               for programs\n" },
	{ "switch", "the software switch: ports, counters, owners, registers", .sub = switch_cmds,
	  .about = "Examples:\n"
		   "  p4ctl switch show\n"
		   "  p4ctl switch reg read owner 0 16\n" },
	{ "events", "follow changes of tenants, geometry, policy and allocations",
	  .run = events_run, .args = events_args,
	  .about = "One line a change, in the words of the commands that make it, until Ctrl-C.\n\n"
		   "Examples:\n"
		   "  p4ctl events\n"
		   "  p4ctl -j events --count 1             wait for one change\n" },
	{ 0 },
};

static const struct cmd root = {
	.name = "p4ctl", .summary = "see and tune tenants, allocations and the switch",
	.sub = commands,
	.about = "Everything concerns the network namespace that p4ctl runs in; for another one:\n"
		 "  ip netns exec NAME p4ctl ...\n\n"
		 "Examples:\n"
		 "  p4ctl tenant add --help               what a tenant can have\n"
		 "  p4ctl tenant add 7 name shop user alice\n"
		 "  p4ctl -j alloc show                   for programs\n"
		 "  p4ctl show > rack.conf; sh rack.conf  save and restore the configuration\n\n"
		 "See p4ctl(8), p4homa(7), homa(7).\n",
};

/* The words of the command line with the options that go anywhere taken out. */
struct line {
	int argc;
	char *argv[WORDS_MAX + 1];
	bool json, help, version;
};

static int take_line(struct line *l, int argc, char **argv, struct diag *d)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json"))
			l->json = true;
		else if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			l->help = true;
		else if (!strcmp(argv[i], "-V") || !strcmp(argv[i], "--version"))
			l->version = true;
		else if (l->argc == WORDS_MAX)
			return fault_usage(d, "more than %d words", WORDS_MAX);
		else
			l->argv[l->argc++] = argv[i];
	}
	return 0;
}

static int unknown_command(const struct cmd *group, const char *word, struct diag *d)
{
	const char *words[WORDS_MAX];
	char hint[320];
	int n = 0;

	for (; group->sub[n].name; n++)
		words[n] = group->sub[n].name;
	words[n] = NULL;
	suggest(word, words, hint, sizeof(hint));
	return fault_usage(d, "'%s' is not a command: %s", word, hint);
}

/* Goes down the tree as far as words lead; *used counts them. NULL: a word leads nowhere. */
static const struct cmd *descend(const struct line *l, int *used, char *path, size_t len,
				 struct diag *d)
{
	const struct cmd *cmd = &root, *next;

	snprintf(path, len, "p4ctl");
	for (*used = 0; cmd->sub && *used < l->argc; ++*used) {
		next = cmd_find(cmd->sub, l->argv[*used]);
		if (!next) {
			unknown_command(cmd, l->argv[*used], d);
			fprintf(stderr, "%s: %s\n", path, d->text);
			return NULL;
		}
		cmd = next;
		snprintf(path + strlen(path), len - strlen(path), " %s", cmd->name);
	}
	return cmd;
}

static int run_command(const struct cmd *cmd, const char *path, const struct line *l, int used)
{
	struct diag d = { 0 };
	struct run r = { .json = l->json, .out = stdout, .d = &d };
	struct arg args[ARGS_MAX];
	int ret;

	ret = args_parse(cmd->args, l->argc - used, l->argv + used, args, &d);
	if (!ret)
		ret = cmd->run(&r, args);
	if (!ret && fflush(stdout))
		ret = fault(&d, "output: write error");
	if (!ret)
		return 0;
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", path, d.text);
	if (!d.usage)
		return 1;
	help_usage(stderr, path, cmd);
	return 2;
}

int main(int argc, char **argv)
{
	struct line l = { 0 };
	struct diag d = { 0 };
	const struct cmd *cmd;
	char path[80];
	int used;

	if (argc > 1 && !strcmp(argv[1], "complete")) {		/* for completion/p4ctl */
		help_complete(stdout, &root, argc - 2, argv + 2);
		return 0;
	}
	if (take_line(&l, argc, argv, &d)) {
		fprintf(stderr, "p4ctl: %s\n", d.text);
		return 2;
	}
	if (l.version) {
		printf("p4ctl " P4CTL_VERSION "\n");
		return 0;
	}
	if (l.argc && !strcmp(l.argv[0], "help")) {
		l.help = true;
		memmove(l.argv, l.argv + 1, l.argc-- * sizeof(l.argv[0]));
	}
	cmd = descend(&l, &used, path, sizeof(path), &d);
	if (!cmd)
		return 2;
	if (l.help) {
		help_print(stdout, path, cmd);
		return 0;
	}
	if (cmd->sub) {
		help_print(stderr, path, cmd);
		return 2;
	}
	return run_command(cmd, path, &l, used);
}
