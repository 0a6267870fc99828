// SPDX-License-Identifier: GPL-2.0-or-later
/* config.c - see config.h */
#include <inttypes.h>
#include <string.h>

#include <p4wire.h>

#include "config.h"
#include "value.h"

#define ID_SPEC(need) { .value = "ID", .type = ARG_NUMBER, .min = 1, .max = P4W_TENANT_MAX,	\
	.required = need, .words = WORDS_TENANTS, .help = "tenant number, the same on every host" }

enum { T_ID, T_NAME, T_UID, T_USER, T_GID, T_GROUP, T_WEIGHT, T_MIN, T_MAX, T_RPCS };

const struct arg_spec tenant_args[] = {
	[T_ID] = ID_SPEC(true),
	[T_NAME] = { .word = "name", .value = "NAME", .type = ARG_NAME, .max = P4A_TENANT_NAME_MAX,
		     .help = "for people; default tenant<ID>" },
	[T_UID] = { .word = "uid", .value = "UID", .type = ARG_ID, .max = UINT32_MAX - 1,
		    .help = "user that may use it" },
	[T_USER] = { .word = "user", .value = "USER", .type = ARG_USER,
		     .help = "the same by name" },
	[T_GID] = { .word = "gid", .value = "GID", .type = ARG_ID, .max = UINT32_MAX - 1,
		    .help = "group whose members may use it" },
	[T_GROUP] = { .word = "group", .value = "GROUP", .type = ARG_GROUP,
		      .help = "the same by name" },
	[T_WEIGHT] = { .word = "weight", .value = "W", .type = ARG_NUMBER, .min = 1, .max = 1000,
		       .help = "share of pacing, grants and blocks; default 100" },
	[T_MIN] = { .word = "min-blocks", .value = "N", .type = ARG_NUMBER, .max = P4W_MAX_BLOCKS,
		    .help = "guaranteed blocks; default 0" },
	[T_MAX] = { .word = "max-blocks", .value = "N", .type = ARG_NUMBER, .min = 1,
		    .max = P4W_MAX_BLOCKS, .help = "most blocks at a time; default 256" },
	[T_RPCS] = { .word = "max-rpcs", .value = "N", .type = ARG_NUMBER, .max = UINT32_MAX,
		     .help = "client RPCs alive on this host, 0 = no limit; default 0" },
	{ 0 },
};

const struct arg_spec tenant_id_args[] = { ID_SPEC(true), { 0 } };
const struct arg_spec tenant_show_args[] = { ID_SPEC(false), { 0 } };

enum { G_REGISTERS, G_BLOCKS, G_FLOWS, G_DEPENDENT };

const struct arg_spec geometry_args[] = {
	[G_REGISTERS] = { .word = "registers", .value = "R", .type = ARG_NUMBER, .min = 1,
			  .max = P4W_MAX_REGISTERS, .required = true, .help = "register arrays" },
	[G_BLOCKS] = { .word = "blocks", .value = "B", .type = ARG_NUMBER, .min = 1,
		       .max = P4W_MAX_BLOCKS, .required = true,
		       .help = "blocks of 64 unified slots" },
	[G_FLOWS] = { .word = "flows", .value = "F", .type = ARG_NUMBER, .min = 1, .max = 65536,
		      .required = true, .help = "flow entries of the switch" },
	[G_DEPENDENT] = { .word = "dependent", .value = "D", .type = ARG_NUMBER,
			  .max = P4W_MAX_REGISTERS - 1,
			  .help = "the last of the register arrays; default 0, none is used as such" },
	{ 0 },
};

enum { P_ADDR, P_PORT, P_LEASE, P_GRACE };

const struct arg_spec policy_args[] = {
	[P_ADDR] = { .word = "allocator", .value = "ADDR", .type = ARG_ADDR,
		     .help = "where p4allocd listens" },
	[P_PORT] = { .word = "port", .value = "PORT", .type = ARG_NUMBER, .min = 1, .max = 32767,
		     .help = "its Homa port; default 4001" },
	[P_LEASE] = { .word = "lease-max", .value = "TIME", .type = ARG_TIME, .min = 1000,
		      .max = P4W_DURATION_MAX_US, .help = "longest allocation; default 2s" },
	[P_GRACE] = { .word = "grace", .value = "TIME", .type = ARG_TIME, .min = 0,
		      .max = P4W_DURATION_MAX_US,
		      .help = "added before a fence; default 100ms" },
	{ 0 },
};

static void set_u32(void *rec, const struct field *fields, uint16_t attr, uint32_t *member,
		    const struct arg *a)
{
	if (!a->given)
		return;
	*member = a->number;
	*(uint32_t *)rec |= msg_bit(fields, attr);
}

static int check_both(const struct arg *args, int a, int b, struct diag *d)
{
	if (!args[a].given || !args[b].given)
		return 0;
	return fault_usage(d, "%s and %s mean the same: give one of them", tenant_args[a].word,
			   tenant_args[b].word);
}

int config_tenant(const struct arg *args, struct tenant *t, struct diag *d)
{
	const struct field *f = tenant_fields;

	memset(t, 0, sizeof(*t));
	if (check_both(args, T_UID, T_USER, d) || check_both(args, T_GID, T_GROUP, d))
		return -1;
	if (args[T_MIN].given && args[T_MAX].given && args[T_MIN].number > args[T_MAX].number)
		return fault_usage(d, "min-blocks: %" PRIu64 " is above max-blocks %" PRIu64,
				   args[T_MIN].number, args[T_MAX].number);
	set_u32(t, f, P4A_A_TENANT_ID, &t->id, &args[T_ID]);
	set_u32(t, f, P4A_A_TENANT_UID, &t->uid, &args[T_UID]);
	set_u32(t, f, P4A_A_TENANT_UID, &t->uid, &args[T_USER]);
	set_u32(t, f, P4A_A_TENANT_GID, &t->gid, &args[T_GID]);
	set_u32(t, f, P4A_A_TENANT_GID, &t->gid, &args[T_GROUP]);
	set_u32(t, f, P4A_A_TENANT_WEIGHT, &t->weight, &args[T_WEIGHT]);
	set_u32(t, f, P4A_A_TENANT_MIN_BLOCKS, &t->min_blocks, &args[T_MIN]);
	set_u32(t, f, P4A_A_TENANT_MAX_BLOCKS, &t->max_blocks, &args[T_MAX]);
	set_u32(t, f, P4A_A_TENANT_MAX_RPCS, &t->max_rpcs, &args[T_RPCS]);
	if (args[T_NAME].given) {
		snprintf(t->name, sizeof(t->name), "%s", args[T_NAME].text);
		t->have |= msg_bit(f, P4A_A_TENANT_NAME);
	}
	return 0;
}

int config_geometry(const struct arg *args, struct geometry *g, struct diag *d)
{
	const struct field *f = geometry_fields;

	memset(g, 0, sizeof(*g));
	set_u32(g, f, P4A_A_GEO_REGISTERS, &g->registers, &args[G_REGISTERS]);
	set_u32(g, f, P4A_A_GEO_BLOCKS, &g->blocks, &args[G_BLOCKS]);
	set_u32(g, f, P4A_A_GEO_FLOWS, &g->flows, &args[G_FLOWS]);
	set_u32(g, f, P4A_A_GEO_DEPENDENT, &g->dependent, &args[G_DEPENDENT]);
	return 0;
}

int config_policy(const struct arg *args, struct policy *p, struct diag *d)
{
	const struct field *f = policy_fields;

	memset(p, 0, sizeof(*p));
	set_u32(p, f, P4A_A_POL_ALLOC_ADDR, &p->addr, &args[P_ADDR]);
	set_u32(p, f, P4A_A_POL_LEASE_MAX_US, &p->lease_max_us, &args[P_LEASE]);
	set_u32(p, f, P4A_A_POL_GRACE_US, &p->grace_us, &args[P_GRACE]);
	if (args[P_PORT].given) {
		p->port = args[P_PORT].number;
		p->have |= msg_bit(f, P4A_A_POL_ALLOC_PORT);
	}
	return p->have ? 0 : fault_usage(d, "nothing to set: give at least one argument");
}

void config_tenant_complete(struct tenant *t)
{
	if (!msg_has(t, tenant_fields, P4A_A_TENANT_UID))
		t->uid = MSG_NOBODY;
	if (!msg_has(t, tenant_fields, P4A_A_TENANT_GID))
		t->gid = MSG_NOBODY;
	t->have |= msg_bit(tenant_fields, P4A_A_TENANT_UID) |
		   msg_bit(tenant_fields, P4A_A_TENANT_GID);
}

static const char *id_text(uint32_t id, char buf[VALUE_LEN])
{
	if (id == MSG_NOBODY)
		return "none";
	snprintf(buf, VALUE_LEN, "%u", id);
	return buf;
}

void config_tenant_line(const struct tenant *t, char *buf, size_t len)
{
	char uid[VALUE_LEN], gid[VALUE_LEN];

	snprintf(buf, len, "tenant replace %u name %s uid %s gid %s weight %u min-blocks %u "
		 "max-blocks %u max-rpcs %u", t->id, t->name, id_text(t->uid, uid),
		 id_text(t->gid, gid), t->weight, t->min_blocks, t->max_blocks, t->max_rpcs);
}

void config_geometry_line(const struct geometry *g, char *buf, size_t len)
{
	snprintf(buf, len, "geometry set registers %u blocks %u flows %u dependent %u",
		 g->registers, g->blocks, g->flows, g->dependent);
}

void config_policy_line(const struct policy *p, char *buf, size_t len)
{
	char addr[VALUE_LEN], lease[VALUE_LEN], grace[VALUE_LEN];

	format_addr(p->addr, addr);
	format_time(p->lease_max_us, lease);
	format_time(p->grace_us, grace);
	snprintf(buf, len, "policy set allocator %s port %u lease-max %s grace %s", addr, p->port,
		 lease, grace);
}

static struct json_object *field_json(const struct field *f, const void *at)
{
	char hex[2 * MSG_BITMAP_BYTES + 1] = "";
	size_t i;

	switch (f->type) {
	case FIELD_U16:
		return json_object_new_int64(*(const uint16_t *)at);
	case FIELD_U32:
		return json_object_new_int64(*(const uint32_t *)at);
	case FIELD_U64:
		return json_object_new_uint64(*(const uint64_t *)at);
	case FIELD_STRING:
		return json_object_new_string(at);
	case FIELD_BINARY:
		for (i = 0; i < f->size; i++)
			snprintf(hex + 2 * i, 3, "%02x", ((const uint8_t *)at)[i]);
		return json_object_new_string(hex);
	}
	return NULL;
}

struct json_object *config_json(const struct field *fields, const void *rec)
{
	struct json_object *o = json_object_new_object();
	int i;

	for (i = 0; fields[i].name; i++)
		if (*(const uint32_t *)rec & 1u << i)
			json_object_object_add(o, fields[i].name,
					       field_json(&fields[i],
							  (const char *)rec + fields[i].offset));
	return o;
}

struct json_object *config_tenant_json(const struct tenant *t)
{
	struct json_object *o = config_json(tenant_fields, t);

	if (t->uid == MSG_NOBODY)
		json_object_object_add(o, "uid", NULL);
	if (t->gid == MSG_NOBODY)
		json_object_object_add(o, "gid", NULL);
	return o;
}

struct json_object *config_policy_json(const struct policy *p)
{
	struct json_object *o = config_json(policy_fields, p);
	char addr[VALUE_LEN];

	format_addr(p->addr, addr);
	json_object_object_add(o, "allocator", p->addr ? json_object_new_string(addr) : NULL);
	return o;
}

struct json_object *config_alloc_json(const struct alloc *a)
{
	struct json_object *o = config_json(alloc_fields, a);
	struct json_object *blocks = json_object_new_array();
	unsigned int b;

	for (b = 0; b < 8 * sizeof(a->bitmap); b++)
		if (a->bitmap[b / 8] >> (b % 8) & 1)
			json_object_array_add(blocks, json_object_new_int(b));
	json_object_object_add(o, "blocks", blocks);
	return o;
}
