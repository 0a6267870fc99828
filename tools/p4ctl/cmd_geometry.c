// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_geometry.c - p4ctl geometry: the size of the switch */
#include "cmd.h"
#include "config.h"
#include "netlink.h"
#include "output.h"
#include "table.h"

/* While allocations are held no geometry can be set, but the one that is there need not be. */
static bool is_set_already(struct nlink *nl, const struct geometry *want)
{
	struct diag ignored;
	struct geometry now;

	return nlink_errno(nl) == EBUSY &&
	       !nlink_get(nl, P4A_CMD_GEOMETRY_GET, geometry_fields, NULL, &now, sizeof(now),
			  &ignored) &&
	       now.registers == want->registers && now.blocks == want->blocks &&
	       now.flows == want->flows && now.dependent == want->dependent;
}

static int set_run(struct run *r, const struct arg *args)
{
	struct geometry g;
	struct nlink *nl;
	int ret;

	if (config_geometry(args, &g, r->d))
		return -1;
	nl = nlink_open(r->d);
	if (!nl)
		return -1;
	ret = nlink_set(nl, P4A_CMD_GEOMETRY_SET, geometry_fields, &g, 0, r->d);
	if (ret && is_set_already(nl, &g))
		ret = 0;
	nlink_close(nl);
	return ret;
}

static void print_geometry(const struct run *r, const struct geometry *g)
{
	if (r->json) {
		output_json(r, config_json(geometry_fields, g));
		return;
	}
	fprintf(r->out, "register arrays  %u, the last %u are the dependent stage\n"
		"blocks           %u\n"
		"slots            %u (64 a block)\n"
		"cells            %u\n"
		"flows            %u\n",
		g->registers, g->dependent, g->blocks, 64 * g->blocks, 64 * g->blocks * g->registers, g->flows);
}

static int geometry_show_run(struct run *r, const struct arg *args)
{
	struct nlink *nl = nlink_open(r->d);
	struct geometry g;
	int ret;

	if (!nl)
		return -1;
	ret = nlink_get(nl, P4A_CMD_GEOMETRY_GET, geometry_fields, NULL, &g, sizeof(g), r->d);
	if (ret && nlink_errno(nl) == ENODATA)
		fault(r->d, "no geometry was set in this network namespace "
		      "(p4ctl geometry set --help)");
	if (!ret)
		print_geometry(r, &g);
	nlink_close(nl);
	return ret;
}

const struct cmd geometry_cmds[] = {
	{ "set", "tell this host the size of the switch", .run = set_run, .args = geometry_args,
	  .about = "Must be what the switch was built with (p4ctl switch show). Refused while a\n"
		   "tenant holds an allocation, unless nothing changes. DEPENDENT is the same on all\n"
		   "hosts: it decides which key belongs into which cell.\n\nExamples:\n"
		   "  p4ctl geometry set registers 20 blocks 16 flows 1024 dependent 4\n" },
	{ "show", "the size of the switch that this host knows", .run = geometry_show_run,
	  .args = no_args, .about = "Examples:\n  p4ctl geometry show\n" },
	{ 0 },
};
