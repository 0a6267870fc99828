// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netlink-bad.c - bad requests to the family p4alloc: each is refused with the right error and a
 * text that names the attribute, and nothing has changed afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "t_homa.h"
#include "t_netlink.h"

#define TENANT	4720

static const uint8_t none[32], first[33] = { 1 }, last[32] = { [31] = 0x80 };

static const struct bad {
	int cmd;
	int want;
	const char *text;	/* must be in what the kernel says; NULL: the kernel's own words */
	struct t_attr attrs[6];
} bad[] = {
#define SET	P4A_CMD_TENANT_SET
	{ SET, -EINVAL, "TENANT_ID", { T_END } },
	{ SET, -ERANGE, "TENANT_ID", { T_U32(TENANT_ID, 0), T_END } },
	{ SET, -ERANGE, "1 .. 16777215", { T_U32(TENANT_ID, 0x1000000), T_END } },
	{ SET, -EINVAL, NULL, { T_U16(TENANT_ID, 5), T_END } },
	{ SET, -EINVAL, NULL, { T_U64(TENANT_ID, 5), T_END } },
	{ SET, -ERANGE, "TENANT_WEIGHT", { T_U32(TENANT_ID, 5), T_U32(TENANT_WEIGHT, 0), T_END } },
	{ SET, -ERANGE, "1 .. 1000", { T_U32(TENANT_ID, 5), T_U32(TENANT_WEIGHT, 1001), T_END } },
	{ SET, -ERANGE, "0 .. 256", { T_U32(TENANT_ID, 5), T_U32(TENANT_MIN_BLOCKS, 257), T_END } },
	{ SET, -ERANGE, "1 .. 256", { T_U32(TENANT_ID, 5), T_U32(TENANT_MAX_BLOCKS, 0), T_END } },
	{ SET, -EINVAL, "MAX_BLOCKS", { T_U32(TENANT_ID, 5), T_U32(TENANT_MIN_BLOCKS, 9),
		T_U32(TENANT_MAX_BLOCKS, 8), T_END } },
	{ SET, -ERANGE, "TENANT_UID", { T_U32(TENANT_ID, 5), T_U32(TENANT_UID, -1u), T_END } },
	{ SET, -ERANGE, "FLAGS", { T_U32(TENANT_ID, 5), T_U32(FLAGS, 4), T_END } },
	{ SET, -ENOENT, "TENANT_ID", { T_U32(TENANT_ID, 5), T_U32(FLAGS, 2), T_END } },
	{ SET, -EEXIST, "TENANT_ID", { T_U32(TENANT_ID, TENANT), T_U32(FLAGS, 1), T_END } },
	{ SET, -EINVAL, "TENANT_NAME", { T_U32(TENANT_ID, 5), T_BYTES(TENANT_NAME, 4, "a b"), T_END } },
	{ SET, -EINVAL, "TENANT_NAME", { T_U32(TENANT_ID, 5), T_BYTES(TENANT_NAME, 1, ""), T_END } },
	{ SET, -ERANGE, "1 .. 31 bytes", { T_U32(TENANT_ID, 5),
		T_BYTES(TENANT_NAME, 33, "01234567890123456789012345678901"), T_END } },
	{ SET, -EINVAL, "1 .. 31 bytes", { T_U32(TENANT_ID, 5),
		T_BYTES(TENANT_NAME, 32, "01234567890123456789012345678901"), T_END } },
	{ SET, -ERANGE, "TENANT_NAME", { T_U32(TENANT_ID, 5), T_BYTES(TENANT_NAME, 0, ""), T_END } },
	{ SET, -EINVAL, "not for this command", { T_U32(TENANT_ID, 5), T_U32(GEO_BLOCKS, 1), T_END } },
	{ SET, -EINVAL, NULL, { T_U32(TENANT_ID, 5), { P4A_A_MAX + 1, 4, 1, NULL }, T_END } },
	{ SET, -EINVAL, NULL, { T_U32(TENANT_ID, 5), T_U32(TENANT_SOCKETS, 1), T_END } },
#undef SET
	{ P4A_CMD_TENANT_DEL, -EINVAL, "TENANT_ID", { T_END } },
	{ P4A_CMD_TENANT_DEL, -ENOENT, "TENANT_ID", { T_U32(TENANT_ID, 5), T_END } },
	{ P4A_CMD_TENANT_GET, -ENOENT, "TENANT_ID", { T_U32(TENANT_ID, 5), T_END } },
#define GEO	P4A_CMD_GEOMETRY_SET
	{ GEO, -EINVAL, "GEO_FLOWS", { T_U32(GEO_REGISTERS, 1), T_U32(GEO_BLOCKS, 1), T_END } },
	{ GEO, -ERANGE, "1 .. 32", { T_U32(GEO_REGISTERS, 33), T_U32(GEO_BLOCKS, 1),
		T_U32(GEO_FLOWS, 1), T_END } },
	{ GEO, -ERANGE, "GEO_BLOCKS", { T_U32(GEO_REGISTERS, 1), T_U32(GEO_BLOCKS, 257),
		T_U32(GEO_FLOWS, 1), T_END } },
	{ GEO, -ERANGE, "1 .. 65536", { T_U32(GEO_REGISTERS, 1), T_U32(GEO_BLOCKS, 1),
		T_U32(GEO_FLOWS, 65537), T_END } },
	{ GEO, -ERANGE, "0 .. 31", { T_U32(GEO_REGISTERS, 32), T_U32(GEO_BLOCKS, 1),
		T_U32(GEO_FLOWS, 1), T_U32(GEO_DEPENDENT, 32), T_END } },
	{ GEO, -ERANGE, "below GEO_REGISTERS", { T_U32(GEO_REGISTERS, 4), T_U32(GEO_BLOCKS, 1),
		T_U32(GEO_FLOWS, 1), T_U32(GEO_DEPENDENT, 4), T_END } },
	{ GEO, -EBUSY, "allocation", { T_U32(GEO_REGISTERS, 1), T_U32(GEO_BLOCKS, 1),
		T_U32(GEO_FLOWS, 1), T_END } },
#undef GEO
#define POL	P4A_CMD_POLICY_SET
	{ POL, -ERANGE, "1 .. 32767", { T_U16(POL_ALLOC_PORT, 0), T_END } },
	{ POL, -ERANGE, "POL_ALLOC_PORT", { T_U16(POL_ALLOC_PORT, 32768), T_END } },
	{ POL, -ERANGE, "1000 .. 60000000", { T_U32(POL_LEASE_MAX_US, 999), T_END } },
	{ POL, -ERANGE, "POL_GRACE_US", { T_U32(POL_GRACE_US, 60000001), T_END } },
	{ POL, -EINVAL, "not for this command", { T_U32(TENANT_ID, TENANT), T_END } },
#undef POL
#define ALLOC	P4A_CMD_ALLOC_SET
	{ ALLOC, -EINVAL, "ALLOC_EPOCH", { T_U32(TENANT_ID, TENANT), T_END } },
	{ ALLOC, -ENOENT, "TENANT_ID", { T_U32(TENANT_ID, 5), T_U64(ALLOC_EPOCH, 0), T_END } },
	{ ALLOC, -ERANGE, "1099511627775", { T_U32(TENANT_ID, TENANT),
		T_U64(ALLOC_EPOCH, 1ull << 40), T_END } },
	{ ALLOC, -EINVAL, "ALLOC_BITMAP: 32 bytes", { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 9),
		T_U32(ALLOC_FLOW_FIRST, 0), T_U32(ALLOC_FLOW_COUNT, 1), T_END } },
	{ ALLOC, -ERANGE, "32 bytes", { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 9),
		T_BYTES(ALLOC_BITMAP, 31, first), T_END } },
	{ ALLOC, -ERANGE, "32 bytes", { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 9),
		T_BYTES(ALLOC_BITMAP, 33, first), T_END } },
	{ ALLOC, -EINVAL, "at least one bit", { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 9),
		T_BYTES(ALLOC_BITMAP, 32, none), T_U32(ALLOC_FLOW_FIRST, 0),
		T_U32(ALLOC_FLOW_COUNT, 1), T_END } },
	{ ALLOC, -ERANGE, "GEO_BLOCKS", { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 9),
		T_BYTES(ALLOC_BITMAP, 32, last), T_U32(ALLOC_FLOW_FIRST, 0),
		T_U32(ALLOC_FLOW_COUNT, 1), T_END } },
	{ ALLOC, -ERANGE, "1 .. 4096", { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 9),
		T_BYTES(ALLOC_BITMAP, 32, first), T_U32(ALLOC_FLOW_FIRST, 0),
		T_U32(ALLOC_FLOW_COUNT, 4097), T_END } },
	{ ALLOC, -ERANGE, "GEO_FLOWS", { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 9),
		T_BYTES(ALLOC_BITMAP, 32, first), T_U32(ALLOC_FLOW_FIRST, 255),
		T_U32(ALLOC_FLOW_COUNT, 2), T_END } },
	{ ALLOC, -ESTALE, "ALLOC_EPOCH", { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 4),
		T_BYTES(ALLOC_BITMAP, 32, first), T_U32(ALLOC_FLOW_FIRST, 0),
		T_U32(ALLOC_FLOW_COUNT, 1), T_END } },
#undef ALLOC
	{ P4A_CMD_TENANT_NTF, -EOPNOTSUPP, NULL, { T_END } },
	{ P4A_CMD_MAX + 1, -EOPNOTSUPP, NULL, { T_END } },
};

static int check(struct t_netlink *nl, int i)
{
	int err = t_netlink_do(nl, bad[i].cmd, bad[i].attrs);
	const char *text = t_netlink_text(nl);

	if (err == bad[i].want && (!bad[i].text || strstr(text, bad[i].text)))
		return 0;
	fprintf(stderr, "netlink-bad: request %d, command %d: %s (%s), expected %s (%s)\n", i,
		bad[i].cmd, strerror(-err), text, strerror(-bad[i].want),
		bad[i].text ?: "any text");
	return 1;
}

/* Tenant 5 was never made, and the one that there is still holds epoch 5: both can be proved. */
static int check_unchanged(struct t_netlink *nl)
{
	struct t_attr absent[] = { T_U32(TENANT_ID, 5), T_END };
	struct t_attr again[] = { T_U32(TENANT_ID, TENANT), T_U64(ALLOC_EPOCH, 5),
		T_BYTES(ALLOC_BITMAP, 32, first), T_U32(ALLOC_FLOW_FIRST, 0),
		T_U32(ALLOC_FLOW_COUNT, 1), T_END };

	if (t_netlink_do(nl, P4A_CMD_TENANT_GET, absent) == -ENOENT &&
	    t_netlink_do(nl, P4A_CMD_ALLOC_SET, again) == 0)
		return 0;
	fprintf(stderr, "netlink-bad: a refused request has changed something\n");
	return 1;
}

static void clean_up(struct t_netlink *nl)
{
	struct t_attr attrs[] = { T_U32(TENANT_ID, TENANT), T_END };

	t_netlink_do(nl, P4A_CMD_TENANT_DEL, attrs);
}

int main(int argc, char **argv)
{
	struct t_netlink *nl = t_netlink_open();
	int failures = 0, i;

	if (argc > 1) {
		puts("usage: netlink-bad\n"
		     "As root, module loaded; uses tenant 4720 and sets the geometry of this network\n"
		     "namespace (20 registers, 16 blocks, 256 flows). Tenant 5 must not exist.\n"
		     "Exit: 0 pass, 1 fail, 77 not root or no module.");
		return 0;
	}
	if (!nl || geteuid())
		return T_SKIP;
	if (t_netlink_allocate(nl, TENANT, 5, 0, 1, 1)) {
		fprintf(stderr, "netlink-bad: set-up: %s\n", t_netlink_text(nl));
		return T_FAIL;
	}
	for (i = 0; i < (int)(sizeof(bad) / sizeof(bad[0])); i++)
		failures += check(nl, i);
	failures += check_unchanged(nl);
	clean_up(nl);
	printf("netlink-bad: %d requests, %d failed\n", i, failures);
	return failures ? T_FAIL : T_PASS;
}
