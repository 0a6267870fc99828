// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_tenant.c - p4ctl tenant: create, change, remove, show */
#include <grp.h>
#include <pwd.h>

#include "cmd.h"
#include "config.h"
#include "netlink.h"
#include "output.h"
#include "table.h"

/*
 * Nobody is the absence of an attribute, which takes a right from no tenant that has given it. So
 * "none" is left out where nothing would change, and refused where something would.
 */
static int leave_out_nobody(struct nlink *nl, struct tenant *t, struct diag *d)
{
	uint32_t uid = t->uid == MSG_NOBODY ? msg_bit(tenant_fields, P4A_A_TENANT_UID) : 0;
	uint32_t gid = t->gid == MSG_NOBODY ? msg_bit(tenant_fields, P4A_A_TENANT_GID) : 0;
	struct tenant ask = { .have = msg_bit(tenant_fields, P4A_A_TENANT_ID), .id = t->id }, now;
	int ret;

	t->have &= ~(uid | gid);
	if (!uid && !gid)
		return 0;
	ret = nlink_get(nl, P4A_CMD_TENANT_GET, tenant_fields, &ask, &now, sizeof(now), d);
	if (ret)
		return nlink_errno(nl) == ENOENT ? 0 : ret;
	if (!(now.have & (uid | gid)))
		return 0;
	return fault(d, "%s: the tenant has one, which can be replaced but not taken away; "
		     "'tenant del' and 'tenant add' it", now.have & uid ? "uid" : "gid");
}

static int set_tenant(struct run *r, const struct arg *args, uint32_t flags)
{
	struct tenant t;
	struct nlink *nl;
	int ret;

	if (config_tenant(args, &t, r->d))
		return -1;
	nl = nlink_open(r->d);
	if (!nl)
		return -1;
	ret = leave_out_nobody(nl, &t, r->d);
	if (ret)
		goto out;
	ret = nlink_set(nl, P4A_CMD_TENANT_SET, tenant_fields, &t, flags, r->d);
	if (ret && nlink_errno(nl) == EEXIST)
		fault(r->d, "tenant %u exists already (change it with 'tenant set')", t.id);
	if (ret && nlink_errno(nl) == ENOENT)
		fault(r->d, "there is no tenant %u (create it with 'tenant add')", t.id);
out:
	nlink_close(nl);
	return ret;
}

static int add_run(struct run *r, const struct arg *args)
{
	return set_tenant(r, args, P4A_F_CREATE_ONLY);
}

static int set_run(struct run *r, const struct arg *args)
{
	return set_tenant(r, args, P4A_F_MODIFY_ONLY);
}

static int replace_run(struct run *r, const struct arg *args)
{
	return set_tenant(r, args, 0);
}

static struct tenant by_id(const struct arg *args)
{
	return (struct tenant){ .have = msg_bit(tenant_fields, P4A_A_TENANT_ID),
				.id = args[0].number };
}

static int del_run(struct run *r, const struct arg *args)
{
	struct tenant t = by_id(args);
	struct nlink *nl = nlink_open(r->d);
	int ret;

	if (!nl)
		return -1;
	ret = nlink_set(nl, P4A_CMD_TENANT_DEL, tenant_fields, &t, 0, r->d);
	if (ret && nlink_errno(nl) == ENOENT)
		fault(r->d, "there is no tenant %u", t.id);
	nlink_close(nl);
	return ret;
}

/* "1000(alice)", "none" */
static void id_cell(struct table *t, uint32_t id, const char *name)
{
	if (id == MSG_NOBODY)
		table_cell(t, "none");
	else if (name)
		table_cell(t, "%u(%s)", id, name);
	else
		table_cell(t, "%u", id);
}

static void tenant_row(struct table *table, const struct tenant *t)
{
	const struct passwd *pw = getpwuid(t->uid);
	const struct group *gr = getgrgid(t->gid);

	table_cell(table, "%u", t->id);
	table_cell(table, "%s", t->name);
	id_cell(table, t->uid, pw ? pw->pw_name : NULL);
	id_cell(table, t->gid, gr ? gr->gr_name : NULL);
	table_cell(table, "%u", t->weight);
	table_cell(table, "%u..%u", t->min_blocks, t->max_blocks);
	if (t->max_rpcs)
		table_cell(table, "%u", t->max_rpcs);
	else
		table_cell(table, "no limit");
	table_cell(table, "%u", t->sockets);
}

static int take_tenant(void *entry, void *arg)
{
	struct output *o = arg;

	config_tenant_complete(entry);
	if (o->array)
		output_add(o, config_tenant_json(entry));
	else
		tenant_row(o->table, entry);
	return 0;
}

static int show_tenants(struct run *r, const struct arg *args, struct output *o)
{
	struct tenant t = by_id(args);
	struct nlink *nl = nlink_open(r->d);
	int ret;

	if (!nl)
		return -1;
	if (!args[0].given) {
		ret = nlink_dump(nl, P4A_CMD_TENANT_GET, tenant_fields, sizeof(t), take_tenant, o,
				 r->d);
	} else {
		ret = nlink_get(nl, P4A_CMD_TENANT_GET, tenant_fields, &t, &t, sizeof(t), r->d);
		if (ret && nlink_errno(nl) == ENOENT)
			fault(r->d, "there is no tenant %u", (uint32_t)args[0].number);
		if (!ret)
			take_tenant(&t, o);
	}
	nlink_close(nl);
	return ret;
}

static int tenant_show_run(struct run *r, const struct arg *args)
{
	struct output o;
	int ret;

	output_begin(&o, r, ">ID NAME UID GID >WEIGHT >BLOCKS >MAX-RPCS >SOCKETS");
	ret = show_tenants(r, args, &o);
	return output_end(&o, r, ret);
}

#define WHO_MAY										\
	"Who may use a tenant: processes with its uid or gid, and root. Without uid, user,\n"	\
	"gid or group only root may.\n"

const struct cmd tenant_cmds[] = {
	{ "add", "create a tenant in this network namespace", .run = add_run, .args = tenant_args,
	  .about = WHO_MAY "\nExamples:\n"
		   "  p4ctl tenant add 7 user alice\n"
		   "  p4ctl tenant add 8 name web group www-data weight 300 min-blocks 2\n" },
	{ "set", "change what is given of an existing tenant", .run = set_run, .args = tenant_args,
	  .about = WHO_MAY "\nExamples:\n"
		   "  p4ctl tenant set 7 weight 50 max-blocks 8\n"
		   "  p4ctl tenant set 7 user bob           from now on bob instead\n" },
	{ "replace", "create the tenant, or change what is given", .run = replace_run,
	  .args = tenant_args,
	  .about = "What 'p4ctl show' prints.\n\n" WHO_MAY "\nExamples:\n"
		   "  p4ctl tenant replace 7 name shop weight 50\n" },
	{ "del", "remove a tenant that no socket uses", .run = del_run, .args = tenant_id_args,
	  .about = "Examples:\n  p4ctl tenant del 7\n" },
	{ "show", "tenants of this network namespace", .run = tenant_show_run,
	  .args = tenant_show_args,
	  .about = "SOCKETS counts those that have joined the tenant.\n\nExamples:\n"
		   "  p4ctl tenant show\n"
		   "  p4ctl -j tenant show 7\n" },
	{ 0 },
};
