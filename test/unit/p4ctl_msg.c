// SPDX-License-Identifier: GPL-2.0-or-later
/* p4ctl_msg.c - p4ctl: netlink messages built and read back, error texts, events, allocd's view */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>

#include "allocd.h"
#include "event.h"
#include "msg.h"

#define ROWS(t)		(sizeof(t) / sizeof((t)[0]))
#define FAMILY		29
#define ALL(fields)	(nr_fields(fields) == 32 ? UINT32_MAX : (1u << nr_fields(fields)) - 1)

static int nr_fields(const struct field *fields)
{
	int n = 0;

	while (fields[n].name)
		n++;
	return n;
}

static void build_decode__each_kind(void **state)
{
	static const struct { const struct field *fields; size_t size; } t[] = {
		{ tenant_fields, sizeof(struct tenant) },
		{ geometry_fields, sizeof(struct geometry) },
		{ policy_fields, sizeof(struct policy) },
		{ alloc_fields, sizeof(struct alloc) },
		{ stat_fields, sizeof(struct stat_entry) },
	};
	char rec[512], back[512];
	struct nl_msg *msg;
	struct diag d;
	size_t i, k;
	int f;

	for (i = 0; i < ROWS(t); i++) {
		memset(rec, 0, sizeof(rec));
		for (f = 0; t[i].fields[f].name; f++)
			for (k = 0; k < t[i].fields[f].size -
					(t[i].fields[f].type == FIELD_STRING); k++)
				rec[t[i].fields[f].offset + k] = 'A' + f + k % 7;
		*(uint32_t *)rec = ALL(t[i].fields);
		msg = msg_build(FAMILY, 0, P4A_CMD_TENANT_SET, t[i].fields, rec);
		assert_non_null(msg);
		assert_int_equal(nlmsg_hdr(msg)->nlmsg_type, FAMILY);
		assert_int_equal(msg_command(nlmsg_hdr(msg), &d), P4A_CMD_TENANT_SET);
		assert_int_equal(genlmsg_hdr(nlmsg_hdr(msg))->version, P4A_GENL_VERSION);
		assert_int_equal(msg_decode(nlmsg_hdr(msg), t[i].fields, back, t[i].size, &d), 0);
		assert_memory_equal(rec, back, t[i].size);
		nlmsg_free(msg);
	}
}

static void build__sends_only_what_is_there(void **state)
{
	const struct tenant t = { .have = msg_bit(tenant_fields, P4A_A_TENANT_ID) |
					  msg_bit(tenant_fields, P4A_A_TENANT_WEIGHT),
				  .id = 7, .weight = 9, .uid = 1 };
	struct nl_msg *msg = msg_build(FAMILY, 0, P4A_CMD_TENANT_SET, tenant_fields, &t);
	struct nlattr *tb[P4A_A_MAX + 1];
	int i, n = 0;

	assert_int_equal(msg_put_flags(msg, P4A_F_MODIFY_ONLY), 0);
	assert_int_equal(genlmsg_parse(nlmsg_hdr(msg), 0, tb, P4A_A_MAX, NULL), 0);
	for (i = 0; i <= P4A_A_MAX; i++)
		n += !!tb[i];
	assert_int_equal(n, 3);
	assert_int_equal(nla_get_u32(tb[P4A_A_TENANT_ID]), 7);
	assert_int_equal(nla_get_u32(tb[P4A_A_TENANT_WEIGHT]), 9);
	assert_int_equal(nla_get_u32(tb[P4A_A_FLAGS]), P4A_F_MODIFY_ONLY);
	nlmsg_free(msg);
}

static void decode__wrong_sizes(void **state)
{
	static const char zeros[40];
	static const struct { uint16_t attr; int len; const char *want; } t[] = {
		{ P4A_A_ALLOC_EPOCH, 4, "the kernel sent epoch with 4 bytes instead of 8" },
		{ P4A_A_ALLOC_FLOW_FIRST, 3,
		  "the kernel sent flow_first with 3 bytes instead of 4" },
		{ P4A_A_ALLOC_BITMAP, 33, "the kernel sent bitmap with 33 bytes instead of 32" },
	};
	struct alloc a;
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		struct nl_msg *msg = msg_build(FAMILY, 0, P4A_CMD_ALLOC_GET, NULL, NULL);

		nla_put(msg, t[i].attr, t[i].len, zeros);
		assert_int_equal(msg_decode(nlmsg_hdr(msg), alloc_fields, &a, sizeof(a), &d), -1);
		assert_string_equal(d.text, t[i].want);
		nlmsg_free(msg);
	}
}

static void decode__short_message(void **state)
{
	struct nlmsghdr nlh = { .nlmsg_len = NLMSG_HDRLEN + 2, .nlmsg_type = FAMILY };
	struct geometry g;
	struct diag d;

	assert_int_equal(msg_decode(&nlh, geometry_fields, &g, sizeof(g), &d), -1);
	assert_string_equal(d.text, "the kernel sent a malformed message");
	assert_int_equal(msg_command(&nlh, &d), -1);
}

static void decode__skips_unknown_and_long_names(void **state)
{
	struct nl_msg *msg = msg_build(FAMILY, 0, P4A_CMD_TENANT_GET, NULL, NULL);
	struct tenant t;
	char name[100];
	struct diag d;

	memset(name, 'n', sizeof(name));
	nla_put(msg, P4A_A_TENANT_NAME, sizeof(name), name);	/* no NUL */
	nla_put_u32(msg, P4A_A_MAX + 5, 1);
	assert_int_equal(msg_decode(nlmsg_hdr(msg), tenant_fields, &t, sizeof(t), &d), 0);
	assert_int_equal(t.have, msg_bit(tenant_fields, P4A_A_TENANT_NAME));
	assert_int_equal(strlen(t.name), P4A_TENANT_NAME_MAX);
	nlmsg_free(msg);
}

/* ------------------------------------------------------------------ refusals */

/* An error message as the kernel sends it, with or without the request quoted. */
static struct nl_msg *refused(const struct nlmsghdr *request, bool quoted, const char *text,
			      int offset)
{
	size_t quote = quoted ? request->nlmsg_len : sizeof(*request);
	struct nl_msg *msg = nlmsg_alloc();
	int flags = NLM_F_ACK_TLVS | (quoted ? 0 : NLM_F_CAPPED);
	struct nlmsghdr *nlh = nlmsg_put(msg, 0, 1, NLMSG_ERROR, 0, flags);
	int error = -22;

	assert_non_null(nlh);
	nlmsg_append(msg, &error, sizeof(error), 0);
	nlmsg_append(msg, (void *)request, quote, 4);
	if (text)
		nla_put_string(msg, NLMSGERR_ATTR_MSG, text);
	if (offset >= 0)
		nla_put_u32(msg, NLMSGERR_ATTR_OFFS, offset);
	return msg;
}

static void extack__text_and_attribute(void **state)
{
	const struct tenant t = { .have = msg_bit(tenant_fields, P4A_A_TENANT_ID) |
					  msg_bit(tenant_fields, P4A_A_TENANT_WEIGHT),
				  .id = 7, .weight = 2000 };
	const int weight_at = NLMSG_HDRLEN + GENL_HDRLEN + 8;
	const struct { bool quoted; const char *text; int offset; const char *want; } c[] = {
		{ false, "weight: 1 .. 1000", -1, "weight: 1 .. 1000" },
		{ true, "weight: 1 .. 1000", -1, "weight: 1 .. 1000" },
		{ false, "integer out of range", weight_at, "TENANT_WEIGHT: integer out of range" },
		{ true, "integer out of range", weight_at, "TENANT_WEIGHT: integer out of range" },
		{ false, NULL, weight_at, "TENANT_WEIGHT" },
		{ false, "TENANT_WEIGHT: 1 .. 1000", weight_at, "TENANT_WEIGHT: 1 .. 1000" },
		{ false, "odd offset", 1, "odd offset" },
		{ false, "far offset", 100000, "far offset" },
		{ false, NULL, -1, "" },
	};
	struct nl_msg *request = msg_build(FAMILY, 0, P4A_CMD_TENANT_SET, tenant_fields, &t), *msg;
	char buf[128];
	size_t i;

	for (i = 0; i < ROWS(c); i++) {
		msg = refused(nlmsg_hdr(request), c[i].quoted, c[i].text, c[i].offset);
		msg_extack(nlmsg_hdr(msg), nlmsg_hdr(request), buf, sizeof(buf));
		assert_string_equal(buf, c[i].want);
		nlmsg_free(msg);
	}
	/* an attribute that lies behind the end of the request is none of it */
	nlmsg_hdr(request)->nlmsg_len = weight_at;
	msg = refused(nlmsg_hdr(request), false, "behind", weight_at);
	msg_extack(nlmsg_hdr(msg), nlmsg_hdr(request), buf, sizeof(buf));
	assert_string_equal(buf, "behind");
	nlmsg_free(msg);
	nlmsg_free(request);
}

/* Every cut of a good message is safe to look at. Valgrind and ASan see to the bounds. */
static void extack__truncated(void **state)
{
	struct nl_msg *request = msg_build(FAMILY, 0, P4A_CMD_POLICY_GET, NULL, NULL);
	struct nl_msg *msg = refused(nlmsg_hdr(request), true, "some text", 4);
	uint32_t len = nlmsg_hdr(msg)->nlmsg_len, n;
	char buf[128];

	for (n = NLMSG_HDRLEN; n < len; n++) {
		struct nlmsghdr *cut = malloc(n);

		memcpy(cut, nlmsg_hdr(msg), n);
		cut->nlmsg_len = n;
		msg_extack(cut, nlmsg_hdr(request), buf, sizeof(buf));
		assert_true(!*buf || strstr(buf, "text"));
		free(cut);
	}
	nlmsg_free(msg);
	nlmsg_free(request);
}

static void extack__quote_of_impossible_length(void **state)
{
	struct nl_msg *request = msg_build(FAMILY, 0, P4A_CMD_POLICY_GET, NULL, NULL);
	struct nl_msg *msg = refused(nlmsg_hdr(request), true, "x", -1);
	struct nlmsgerr *e = nlmsg_data(nlmsg_hdr(msg));
	char buf[128];

	e->msg.nlmsg_len = 0x7fffffff;
	msg_extack(nlmsg_hdr(msg), NULL, buf, sizeof(buf));
	assert_string_equal(buf, "");
	/* shorter than a header: what would be taken for an attribute is in the header itself */
	e->msg.nlmsg_len = 8;
	e->msg.nlmsg_seq = NLMSGERR_ATTR_MSG << 16 | 8;
	memcpy(&e->msg.nlmsg_pid, "no!", 4);
	msg_extack(nlmsg_hdr(msg), NULL, buf, sizeof(buf));
	assert_string_equal(buf, "");
	nlmsg_free(msg);
	nlmsg_free(request);
}

/* ------------------------------------------------------------------ events */

static void event__lines_and_json(void **state)
{
	const struct tenant tenant = { .have = ALL(tenant_fields) & ~(1u << 2), .id = 7,
		.name = "shop", .gid = 5, .weight = 100, .max_blocks = 256, .sockets = 1 };
	const struct tenant gone = { .have = 1, .id = 7 };
	const struct geometry geometry = { 15, 20, 16, 1024, 4 };
	const struct policy policy = { 15, 0xfe00000a, 2000000, 100000, 4001 };
	struct alloc alloc = { .have = ALL(alloc_fields), .id = 7, .epoch = 12, .flow_first = 8,
		.flow_count = 16, .bitmap = { 0x8f } };
	struct alloc none = { .have = 3, .id = 7 };
	const struct {
		enum p4a_cmd cmd;
		const struct field *fields;
		const void *rec;
		const char *line, *json;
	} t[] = {
		{ P4A_CMD_TENANT_NTF, tenant_fields, &tenant,
		  "tenant replace 7 name shop uid none gid 5 weight 100 min-blocks 0 "
		  "max-blocks 256 max-rpcs 0", "{\"event\":\"tenant\",\"value\":{\"id\":7," },
		{ P4A_CMD_TENANT_DEL_NTF, tenant_fields, &gone, "tenant del 7",
		  "{\"event\":\"tenant_del\",\"value\":{\"id\":7}}" },
		{ P4A_CMD_GEOMETRY_NTF, geometry_fields, &geometry,
		  "geometry set registers 20 blocks 16 flows 1024 dependent 4",
		  "{\"event\":\"geometry\",\"value\":{\"registers\":20,\"blocks\":16,"
		  "\"flows\":1024,\"dependent\":4}}" },
		{ P4A_CMD_POLICY_NTF, policy_fields, &policy,
		  "policy set allocator 10.0.0.254 port 4001 lease-max 2s grace 100ms",
		  "{\"event\":\"policy\",\"value\":{\"allocator\":\"10.0.0.254\"" },
		{ P4A_CMD_ALLOC_NTF, alloc_fields, &alloc,
		  "alloc 7 epoch 12 blocks 0-3,7 flows 8-23",
		  "{\"event\":\"alloc\",\"value\":{\"tenant\":7,\"epoch\":12,\"bitmap\":\"8f00" },
		{ P4A_CMD_ALLOC_NTF, alloc_fields, &none, "alloc 7 none", "{\"event\":\"alloc\"" },
		{ 200, NULL, NULL, "unknown event 200",
		  "{\"event\":\"unknown\",\"value\":200}" },
	};
	struct json_object *o;
	struct nl_msg *msg;
	char line[512];
	struct diag d;
	size_t i;

	for (i = 0; i < ROWS(t); i++) {
		msg = msg_build(FAMILY, 0, t[i].cmd, t[i].fields, t[i].rec);
		assert_int_equal(event_line(nlmsg_hdr(msg), line, sizeof(line), &d), 0);
		assert_string_equal(line, t[i].line);
		o = event_json(nlmsg_hdr(msg), &d);
		assert_non_null(strstr(json_object_to_json_string_ext(o, 0), t[i].json));
		json_object_put(o);
		nlmsg_free(msg);
	}
}

static void event__malformed(void **state)
{
	struct nl_msg *msg = msg_build(FAMILY, 0, P4A_CMD_ALLOC_NTF, NULL, NULL);
	char line[64];
	struct diag d;

	nla_put(msg, P4A_A_ALLOC_EPOCH, 2, "xx");
	assert_int_equal(event_line(nlmsg_hdr(msg), line, sizeof(line), &d), -1);
	assert_null(event_json(nlmsg_hdr(msg), &d));
	nlmsg_free(msg);
}

/* ------------------------------------------------------------------ the allocator's view */

static char *allocd_text(const char *json, uint32_t only)
{
	struct json_object *show = json_tokener_parse(json);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	allocd_print(show, only, f);
	fclose(f);
	json_object_put(show);
	return text;
}

static const char two_tenants[] =
	"{\"ok\":true,\"switch\":\"up\",\"blocks\":16,\"used\":3,\"tenants\":["
	"{\"id\":7,\"name\":\"shop\",\"nodes\":2,\"left\":1,\"state\":\"held\",\"batch\":5,"
	"\"epoch\":9,\"blocks\":[0,1,4],\"lease_us\":-1500,\"reserved\":null,\"escrow\":0,"
	"\"waits\":{\"count\":4,\"p50_us\":2500,\"p99_us\":9900},"
	"\"counters\":{\"grants\":5,\"handovers\":3,\"fences\":1}},"
	"{\"id\":8,\"name\":\"web\",\"state\":\"reserved\",\"lease_us\":null,"
	"\"reserved\":{\"min_blocks\":2,\"want_blocks\":8}}]}";

static void allocd__rows(void **state)
{
	char *text = allocd_text(two_tenants, 0);

	assert_non_null(strstr(text, "switch up, 3 of 16 blocks in use\n"));
	assert_non_null(strstr(text,
			       "shop  held        1/2      5      9       3  0-1,4      -1.5  -"));
	assert_non_null(strstr(text, "web   reserved"));
	assert_non_null(strstr(text, "2-8"));
	free(text);
	text = allocd_text(two_tenants, 8);
	assert_null(strstr(text, "shop"));
	assert_non_null(strstr(text, "web"));
	free(text);
}

static void allocd__nonsense_is_harmless(void **state)
{
	static const char *const t[] = {
		"{}", "[]", "null", "{\"tenants\":5}", "{\"tenants\":[5,null,{}]}",
		"{\"tenants\":[{\"id\":\"x\",\"blocks\":[-1,256,\"y\"],\"waits\":7,"
		"\"reserved\":[]}]}",
	};
	size_t i;

	for (i = 0; i < ROWS(t); i++)
		free(allocd_text(t[i], 0));
}

static void allocd_json__filters(void **state)
{
	struct json_object *show = json_tokener_parse(two_tenants), *o = allocd_json(show, 8);
	struct json_object *tenants = json_object_object_get(o, "tenants");

	assert_int_equal(json_object_array_length(tenants), 1);
	assert_null(json_object_object_get(o, "ok"));
	assert_non_null(json_object_object_get(show, "ok"));
	assert_null(allocd_json(NULL, 0));
	json_object_put(o);
	json_object_put(show);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_decode__each_kind),
		cmocka_unit_test(build__sends_only_what_is_there),
		cmocka_unit_test(decode__wrong_sizes),
		cmocka_unit_test(decode__short_message),
		cmocka_unit_test(decode__skips_unknown_and_long_names),
		cmocka_unit_test(extack__text_and_attribute),
		cmocka_unit_test(extack__truncated),
		cmocka_unit_test(extack__quote_of_impossible_length),
		cmocka_unit_test(event__lines_and_json),
		cmocka_unit_test(event__malformed),
		cmocka_unit_test(allocd__rows),
		cmocka_unit_test(allocd__nonsense_is_harmless),
		cmocka_unit_test(allocd_json__filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
