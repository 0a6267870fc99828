// SPDX-License-Identifier: GPL-2.0-or-later
/* event.c - see event.h */
#include <inttypes.h>
#include <stdio.h>

#include "config.h"
#include "event.h"
#include "value.h"

union record {
	struct tenant tenant;
	struct geometry geometry;
	struct policy policy;
	struct alloc alloc;
};

static void tenant_line(union record *rec, char *buf, size_t len)
{
	config_tenant_complete(&rec->tenant);
	config_tenant_line(&rec->tenant, buf, len);
}

static void tenant_del_line(union record *rec, char *buf, size_t len)
{
	snprintf(buf, len, "tenant del %u", rec->tenant.id);
}

static void geometry_line(union record *rec, char *buf, size_t len)
{
	config_geometry_line(&rec->geometry, buf, len);
}

static void policy_line(union record *rec, char *buf, size_t len)
{
	config_policy_line(&rec->policy, buf, len);
}

static void alloc_line(union record *rec, char *buf, size_t len)
{
	const struct alloc *a = &rec->alloc;
	char which[128];

	if (!a->epoch) {
		snprintf(buf, len, "alloc %u none", a->id);
		return;
	}
	format_blocks(a->bitmap, sizeof(a->bitmap), which, sizeof(which));
	snprintf(buf, len, "alloc %u epoch %" PRIu64 " blocks %s flows %u-%u", a->id, a->epoch,
		 which, a->flow_first, a->flow_first + a->flow_count - 1);
}

static struct json_object *tenant_value(union record *rec)
{
	config_tenant_complete(&rec->tenant);
	return config_tenant_json(&rec->tenant);
}

static struct json_object *tenant_del_value(union record *rec)
{
	return config_json(tenant_fields, rec);
}

static struct json_object *geometry_value(union record *rec)
{
	return config_json(geometry_fields, rec);
}

static struct json_object *policy_value(union record *rec)
{
	return config_policy_json(&rec->policy);
}

static struct json_object *alloc_value(union record *rec)
{
	return config_alloc_json(&rec->alloc);
}

static const struct kind {
	const char *name;
	const struct field *fields;
	void (*line)(union record *rec, char *buf, size_t len);
	struct json_object *(*value)(union record *rec);
} kinds[] = {
	[P4A_CMD_TENANT_NTF] = { "tenant", tenant_fields, tenant_line, tenant_value },
	[P4A_CMD_TENANT_DEL_NTF] = { "tenant_del", tenant_fields, tenant_del_line,
				     tenant_del_value },
	[P4A_CMD_GEOMETRY_NTF] = { "geometry", geometry_fields, geometry_line, geometry_value },
	[P4A_CMD_POLICY_NTF] = { "policy", policy_fields, policy_line, policy_value },
	[P4A_CMD_ALLOC_NTF] = { "alloc", alloc_fields, alloc_line, alloc_value },
};

/* NULL without an error in d: a kind that a newer kernel has. */
static const struct kind *decode(struct nlmsghdr *nlh, union record *rec, int *cmd, struct diag *d)
{
	const struct kind *k;

	*cmd = msg_command(nlh, d);
	if (*cmd < 0 || *cmd >= (int)(sizeof(kinds) / sizeof(kinds[0])) || !kinds[*cmd].name)
		return NULL;
	k = &kinds[*cmd];
	if (msg_decode(nlh, k->fields, rec, sizeof(*rec), d)) {
		*cmd = -1;
		return NULL;
	}
	return k;
}

int event_line(struct nlmsghdr *nlh, char *buf, size_t len, struct diag *d)
{
	const struct kind *k;
	union record rec;
	int cmd;

	k = decode(nlh, &rec, &cmd, d);
	if (k)
		k->line(&rec, buf, len);
	else
		snprintf(buf, len, "unknown event %d", cmd);
	return cmd < 0 ? -1 : 0;
}

struct json_object *event_json(struct nlmsghdr *nlh, struct diag *d)
{
	struct json_object *o;
	const struct kind *k;
	union record rec;
	int cmd;

	k = decode(nlh, &rec, &cmd, d);
	if (cmd < 0)
		return NULL;
	o = json_object_new_object();
	json_object_object_add(o, "event", json_object_new_string(k ? k->name : "unknown"));
	json_object_object_add(o, "value", k ? k->value(&rec) : json_object_new_int(cmd));
	return o;
}
