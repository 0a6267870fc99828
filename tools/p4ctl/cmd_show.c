// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_show.c - p4ctl show: the configuration as commands that make it again */
#include "cmd.h"
#include "config.h"
#include "netlink.h"
#include "output.h"

/* What is shown, until all of it is there. */
struct shown {
	struct run *r;
	struct json_object *tenants;
};

static int show_tenant(void *entry, void *arg)
{
	struct shown *s = arg;
	char line[256];

	config_tenant_complete(entry);
	config_tenant_line(entry, line, sizeof(line));
	if (s->tenants)
		json_object_array_add(s->tenants, config_tenant_json(entry));
	else
		fprintf(s->r->out, "p4ctl %s\n", line);
	return 0;
}

/* 1: there is none */
static int read_geometry(struct nlink *nl, struct geometry *g, struct diag *d)
{
	int ret = nlink_get(nl, P4A_CMD_GEOMETRY_GET, geometry_fields, NULL, g, sizeof(*g), d);

	return ret && nlink_errno(nl) == ENODATA ? 1 : ret;
}

static void print_lines(FILE *out, const struct geometry *g, const struct policy *p)
{
	char line[256];

	if (g) {
		config_geometry_line(g, line, sizeof(line));
		fprintf(out, "p4ctl %s\n", line);
	}
	config_policy_line(p, line, sizeof(line));
	fprintf(out, "p4ctl %s\n", line);
}

static int show_json(struct run *r, struct nlink *nl, const struct geometry *g,
		     const struct policy *p)
{
	struct shown s = { .r = r, .tenants = json_object_new_array() };
	struct json_object *o = json_object_new_object();
	int ret;

	json_object_object_add(o, "geometry", g ? config_json(geometry_fields, g) : NULL);
	json_object_object_add(o, "policy", config_policy_json(p));
	json_object_object_add(o, "tenants", s.tenants);
	ret = nlink_dump(nl, P4A_CMD_TENANT_GET, tenant_fields, sizeof(struct tenant), show_tenant,
			 &s, r->d);
	if (ret)
		json_object_put(o);
	else
		output_json(r, o);
	return ret;
}

static int show_lines(struct run *r, struct nlink *nl, const struct geometry *g,
		      const struct policy *p)
{
	struct shown s = { .r = r };
	int ret;

	print_lines(r->out, g, p);
	ret = nlink_dump(nl, P4A_CMD_TENANT_GET, tenant_fields, sizeof(struct tenant), show_tenant,
			 &s, r->d);
	return ret ? ret : sysctl_replay(r);
}

int show_run(struct run *r, const struct arg *args)
{
	struct nlink *nl = nlink_open(r->d);
	struct geometry g;
	struct policy p;
	int ret, none;

	if (!nl)
		return -1;
	none = read_geometry(nl, &g, r->d);
	ret = none < 0 ? -1 : nlink_get(nl, P4A_CMD_POLICY_GET, policy_fields, NULL, &p, sizeof(p),
					r->d);
	if (!ret)
		ret = (r->json ? show_json : show_lines)(r, nl, none ? NULL : &g, &p);
	nlink_close(nl);
	return ret;
}
