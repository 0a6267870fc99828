// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_policy.c - p4ctl policy: where the allocator is, and its limits */
#include "cmd.h"
#include "config.h"
#include "netlink.h"
#include "output.h"
#include "value.h"

static int set_run(struct run *r, const struct arg *args)
{
	struct policy p;
	struct nlink *nl;
	int ret;

	if (config_policy(args, &p, r->d))
		return -1;
	nl = nlink_open(r->d);
	if (!nl)
		return -1;
	ret = nlink_set(nl, P4A_CMD_POLICY_SET, policy_fields, &p, 0, r->d);
	nlink_close(nl);
	return ret;
}

static void print_policy(const struct run *r, const struct policy *p)
{
	char addr[VALUE_LEN], lease[VALUE_LEN], grace[VALUE_LEN];

	if (r->json) {
		output_json(r, config_policy_json(p));
		return;
	}
	format_addr(p->addr, addr);
	format_time(p->lease_max_us, lease);
	format_time(p->grace_us, grace);
	fprintf(r->out, "allocator  %s\nport       %u\nlease-max  %s\ngrace      %s\n", addr,
		p->port, lease, grace);
}

static int policy_show_run(struct run *r, const struct arg *args)
{
	struct nlink *nl = nlink_open(r->d);
	struct policy p;
	int ret;

	if (!nl)
		return -1;
	ret = nlink_get(nl, P4A_CMD_POLICY_GET, policy_fields, NULL, &p, sizeof(p), r->d);
	if (!ret)
		print_policy(r, &p);
	nlink_close(nl);
	return ret;
}

const struct cmd policy_cmds[] = {
	{ "set", "change what is given", .run = set_run, .args = policy_args,
	  .about = "Times carry a unit: 500us, 20ms, 1.5s, 1m.\n\nExamples:\n"
		   "  p4ctl policy set allocator 10.0.0.254\n"
		   "  p4ctl policy set lease-max 500ms grace 20ms\n"
		   "  p4ctl policy set allocator none       tenants run everything cold\n" },
	{ "show", "what is set", .run = policy_show_run, .args = no_args,
	  .about = "Examples:\n  p4ctl policy show\n" },
	{ 0 },
};
