// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * open.c - looks at what this host offers and makes a hot context of it, or a cold one that knows
 * what was missing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctx.h"
#include "uring.h"

/* A context without back end. The text may lie in err, which is not an error then. */
static int open_cold(struct p4a_ctx **out, const struct p4a_options *opts,
		     const struct p4a_geometry *geo, enum p4a_cold why, const char *text,
		     struct p4a_error *err)
{
	struct p4a_error reason;

	p4a_fail(&reason, 0, "%s", text);
	return p4a_ctx_new(out, opts, NULL, geo, why, reason.text, err);
}

/* A Homa socket in the tenant, or -errno. -ENOENT alone may mean two things, so each has its text. */
static int join_tenant(uint32_t tenant, enum p4a_cold *cold, struct p4a_error *err)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA), rc;

	if (sock < 0) {
		rc = -errno;
		if (rc == -EPROTONOSUPPORT || rc == -ESOCKTNOSUPPORT)
			*cold = P4A_COLD_NO_MODULE;
		return p4a_fail(err, rc, "Homa socket: %s", strerror(-rc));
	}
	if (!setsockopt(sock, IPPROTO_HOMA, SO_HOMA_TENANT, &tenant, sizeof(tenant)))
		return sock;
	rc = -errno;
	close(sock);
	if (rc == -ENOENT)
		return p4a_fail(err, rc, "tenant %u: does not exist on this host", tenant);
	if (rc == -EPERM)
		return p4a_fail(err, rc, "tenant %u: this process may not use it", tenant);
	return p4a_fail(err, rc, "tenant %u: %s", tenant, strerror(-rc));
}

static int open_hot(struct p4a_ctx **out, const struct p4a_options *opts, struct p4a_netlink *nl,
		    const struct p4a_geometry *geo, const struct sockaddr_in *allocator,
		    struct p4a_error *err)
{
	enum p4a_cold cold = P4A_HOT;
	struct p4a_io *io;
	int sock, rc;

	sock = join_tenant(opts->tenant, &cold, err);
	if (sock < 0) {
		p4a_netlink_close(nl);
		if (cold != P4A_HOT)
			return open_cold(out, opts, geo, cold, err->text, err);
		return sock;
	}
	rc = p4a_uring_new(&io, nl, sock, allocator, opts->tenant, opts->depth, err);
	if (rc == -ENOSYS)
		return open_cold(out, opts, geo, P4A_COLD_NO_URING, err->text, err);
	return rc ? rc : p4a_ctx_new(out, opts, io, geo, P4A_HOT, "", err);
}

static int open_checked(struct p4a_ctx **out, const struct p4a_options *opts, struct p4a_error *err)
{
	struct sockaddr_in allocator = { .sin_family = AF_INET };
	struct p4a_geometry geo = { 0 };
	struct p4a_netlink *nl;
	uint16_t port;
	int rc;

	rc = p4a_netlink_open(&nl, err);
	if (rc == -ENOENT)
		return open_cold(out, opts, &geo, P4A_COLD_NO_MODULE, err->text, err);
	if (rc)
		return rc;
	rc = p4a_netlink_geometry(nl, &geo, err);
	if (!rc)
		rc = p4a_netlink_policy(nl, &allocator.sin_addr.s_addr, &port, err);
	if (!rc && !allocator.sin_addr.s_addr)
		rc = p4a_fail(err, -ENODATA, "policy: no allocator address set on this host");
	if (rc) {
		p4a_netlink_close(nl);
		return rc == -ENODATA ?
		       open_cold(out, opts, &geo, P4A_COLD_NO_POLICY, err->text, err) : rc;
	}
	allocator.sin_port = htons(port);
	return open_hot(out, opts, nl, &geo, &allocator, err);
}

int p4a_open(struct p4a_ctx **out, const struct p4a_options *opts, struct p4a_error *err)
{
	struct p4a_options o = *opts;
	struct p4a_error text;		/* the texts of cold contexts need one, the caller may not */
	int rc;

	rc = p4a_options_check(&o, &text);
	if (!rc)
		rc = open_checked(out, &o, &text);
	if (rc && err)
		*err = text;
	return rc;
}
