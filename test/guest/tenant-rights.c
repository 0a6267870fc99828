// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tenant-rights.c - who may join a tenant and set its allocation: its uid, its gid, nobody else.
 *
 * Run as root in a namespace of the guest. Each question is asked by a child with other ids.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_homa.h"
#include "t_netlink.h"

#define TENANT	4711
#define UID	1001
#define GID	2001

static int failures;

static void expect(const char *what, int got, int want)
{
	if (got == want)
		return;
	failures++;
	fprintf(stderr, "tenant-rights: %s: %s, expected %s\n", what, got ? strerror(-got) : "ok",
		want ? strerror(-want) : "ok");
}

static int join(int fd, uint32_t id)
{
	return setsockopt(fd, IPPROTO_HOMA, SO_HOMA_TENANT, &id, sizeof(id)) ? -errno : 0;
}

static int join_for_a_moment(uint32_t id)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA);
	int err = join(fd, id);

	close(fd);
	return err;
}

static int join_tenant(void)
{
	return join_for_a_moment(TENANT);
}

static int set_allocation(void)
{
	return t_netlink_grant(t_netlink_open(), TENANT, 1, 1, 1);
}

static int create_tenant(void)
{
	struct t_attr attrs[] = { T_U32(TENANT_ID, TENANT + 2), T_END };

	return t_netlink_do(t_netlink_open(), P4A_CMD_TENANT_SET, attrs);
}

static int delete_tenant(void)
{
	struct t_attr attrs[] = { T_U32(TENANT_ID, TENANT), T_END };

	return t_netlink_do(t_netlink_open(), P4A_CMD_TENANT_DEL, attrs);
}

/* The answer of `ask` as another user. Errors are small, so an exit status holds them. */
static int as(uid_t uid, gid_t gid, gid_t group, int (*ask)(void))
{
	int status;

	if (fork() == 0) {
		if (setgroups(group ? 1 : 0, &group) || setgid(gid) || setuid(uid))
			_exit(255);
		_exit(-ask());
	}
	wait(&status);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static void check_rights(void)
{
	expect("root joins", join_tenant(), 0);
	expect("the tenant's uid joins", as(UID, 1, 0, join_tenant), 0);
	expect("the tenant's gid joins", as(1, GID, 0, join_tenant), 0);
	expect("a member of the tenant's group joins", as(1, 1, GID, join_tenant), 0);
	expect("another uid joins", as(UID + 1, 1, 0, join_tenant), -EPERM);
	expect("a uid that equals the gid joins", as(GID, 1, 0, join_tenant), -EPERM);
	expect("an absent tenant", join_for_a_moment(TENANT + 1), -ENOENT);
	expect("tenant 0x1000000", join_for_a_moment(0x1000000), -ENOENT);

	expect("the tenant's uid sets the allocation", as(UID, 1, 0, set_allocation), 0);
	expect("another uid sets the allocation", as(UID + 1, 1, 0, set_allocation), -EPERM);
	expect("the tenant's uid creates a tenant", as(UID, 1, 0, create_tenant), -EPERM);
	expect("the tenant's uid deletes the tenant", as(UID, 1, 0, delete_tenant), -EPERM);
}

static void check_lifetime(struct t_netlink *nl)
{
	struct t_attr attrs[] = { T_U32(TENANT_ID, TENANT), T_END };
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA);
	uint32_t id = 0;
	socklen_t len = sizeof(id);

	expect("join", join(fd, TENANT), 0);
	getsockopt(fd, IPPROTO_HOMA, SO_HOMA_TENANT, &id, &len);
	expect("getsockopt says the tenant", id == TENANT ? 0 : -EBADMSG, 0);
	expect("delete while joined", t_netlink_do(nl, P4A_CMD_TENANT_DEL, attrs), -EBUSY);
	expect("leave", join(fd, 0), 0);
	expect("delete after leaving", t_netlink_do(nl, P4A_CMD_TENANT_DEL, attrs), 0);
	expect("join the deleted one", join(fd, TENANT), -ENOENT);
	expect("delete again", t_netlink_do(nl, P4A_CMD_TENANT_DEL, attrs), -ENOENT);
	close(fd);
}

int main(int argc, char **argv)
{
	struct t_attr owner[] = { T_U32(TENANT_ID, TENANT), T_U32(TENANT_UID, UID),
				  T_U32(TENANT_GID, GID), T_END };
	struct t_netlink *nl = t_netlink_open();

	if (argc > 1) {
		puts("usage: tenant-rights\n"
		     "As root, module loaded; uses tenants 4711 to 4713 of this network namespace.\n"
		     "Exit: 0 pass, 1 fail, 77 not root or no module.");
		return 0;
	}
	if (!nl || geteuid())
		return T_SKIP;
	expect("set-up", t_netlink_allocate(nl, TENANT, 1, 0, 1, 1), 0);
	expect("owner", t_netlink_do(nl, P4A_CMD_TENANT_SET, owner), 0);
	check_rights();
	check_lifetime(nl);
	puts(failures ? "tenant-rights: failed" : "tenant-rights: ok");
	return failures ? T_FAIL : T_PASS;
}
