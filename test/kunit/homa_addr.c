// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses between sockets, packets and the module; what an ICMP error means.
 */
#include <kunit/test.h>
#include <linux/inet.h>
#include <linux/module.h>
#include "../../module/addr.c"
#include "../../module/icmp.c"

unsigned int homa_net_id;

struct homa_sock *homa_sock_find(struct homa_net *hn, u16 port)
{
	return NULL;
}

struct homa_rpc *homa_rpc_find(struct homa_sock *hsk, u64 id, const struct in6_addr *peer)
{
	return NULL;
}

void homa_live_fail(struct homa_rpc *rpc, int error)
{
}

void homa_live_refused(struct homa_rpc *rpc, u16 port, int error)
{
}

void homa_rpc_put(struct homa_rpc *rpc)
{
}

static struct in6_addr in6(struct kunit *test, const char *text)
{
	struct in6_addr addr;

	KUNIT_ASSERT_EQ(test, in6_pton(text, -1, addr.s6_addr, -1, NULL), 1);
	return addr;
}

static struct sockaddr_in6 to6(struct kunit *test, const char *text, u32 scope)
{
	return (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(4000),
		.sin6_addr = in6(test, text), .sin6_scope_id = scope,
	};
}

static void from_inet(struct kunit *test)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(4000) };
	struct sockaddr_in6 back;
	struct in6_addr addr;
	u16 port;

	to.sin_addr.s_addr = htonl(0x0a000002);
	KUNIT_EXPECT_EQ(test, homa_addr_from_user(&addr, &port, AF_INET, 0,
						  (struct sockaddr *)&to, sizeof(to)), 0);
	KUNIT_EXPECT_EQ(test, port, 4000);
	KUNIT_EXPECT_TRUE(test, homa_addr_is_v4(&addr));
	KUNIT_EXPECT_EQ(test, homa_addr_to_v4(&addr), htonl(0x0a000002));
	KUNIT_EXPECT_EQ(test, homa_addr_to_user(&back, AF_INET, &addr, 4000), sizeof(to));
	KUNIT_EXPECT_EQ(test, memcmp(&back, &to, sizeof(to)), 0);

	to.sin_addr.s_addr = 0;
	KUNIT_EXPECT_EQ(test, homa_addr_from_user(&addr, &port, AF_INET, 0,
						  (struct sockaddr *)&to, sizeof(to)), 0);
	KUNIT_EXPECT_EQ(test, homa_addr_to_v4(&addr), htonl(INADDR_LOOPBACK));
}

static void from_inet6(struct kunit *test)
{
	static const struct {
		const char *to, *addr;
		u32 scope, bound;
		int err;
	} t[] = {
		{ "fd00::2", "fd00::2" },
		{ "fd00::2", "fd00::2", 3, 0 },
		{ "::", "::1" },
		{ "::ffff:10.0.0.2", "::ffff:10.0.0.2" },
		{ "::ffff:0.0.0.0", "::ffff:127.0.0.1" },
		{ "fe80::1", "fe80::1", 7, 0 },
		{ "fe80::1", "fe80::1", 0, 7 },
		{ "fe80::1", "fe80::1", 7, 7 },
		{ "fe80::1", NULL, 7, 8, -EINVAL },
		{ "fe80::1", NULL, 0, 0, -EINVAL },
		{ "fe80::7:0:0:0:1", NULL, 7, 0, -EINVAL },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct sockaddr_in6 to = to6(test, t[i].to, t[i].scope);
		struct in6_addr addr, wanted;
		u16 port;

		KUNIT_EXPECT_EQ_MSG(test, homa_addr_from_user(&addr, &port, AF_INET6, t[i].bound,
							      (struct sockaddr *)&to, sizeof(to)),
				    t[i].err, "row %d", i);
		if (t[i].err)
			continue;
		wanted = in6(test, t[i].addr);
		if (t[i].bound || (t[i].scope && !strncmp(t[i].to, "fe80", 4)))
			wanted.s6_addr32[1] = (__force __be32)7;
		KUNIT_EXPECT_EQ_MSG(test, memcmp(&addr, &wanted, sizeof(addr)), 0, "row %d", i);
		KUNIT_EXPECT_EQ(test, port, 4000);
	}
}

static void bad_names(struct kunit *test)
{
	struct sockaddr_in6 to = to6(test, "fd00::2", 0);
	struct sockaddr *sa = (struct sockaddr *)&to;
	struct in6_addr addr;
	u16 port;

	KUNIT_EXPECT_EQ(test, homa_addr_from_user(&addr, &port, AF_INET6, 0, sa, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, homa_addr_from_user(&addr, &port, AF_INET6, 0, sa, sizeof(to) - 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, homa_addr_from_user(&addr, &port, AF_INET, 0, sa, sizeof(to)),
			-EAFNOSUPPORT);
	to.sin6_family = AF_INET;
	KUNIT_EXPECT_EQ(test, homa_addr_from_user(&addr, &port, AF_INET6, 0, sa, sizeof(to)),
			-EAFNOSUPPORT);
	KUNIT_EXPECT_EQ(test, homa_addr_from_user(&addr, &port, AF_INET, 0, sa,
						  sizeof(struct sockaddr_in) - 1), -EINVAL);
}

static void wire(struct kunit *test)
{
	static const char *const bad[] = { "::", "ff02::1", "::ffff:10.0.0.1", "fe80:0:1::1" };
	struct in6_addr from = in6(test, "fd00::2"), addr, back;
	struct sockaddr_in6 user;
	u32 ifindex;
	int i;

	KUNIT_EXPECT_TRUE(test, homa_addr_from_wire(&addr, &from, 7));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&addr, &from));
	back = homa_addr_to_wire(&addr, &ifindex);
	KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&back, &from));
	KUNIT_EXPECT_EQ(test, ifindex, 0);

	from = in6(test, "fe80::1");
	KUNIT_EXPECT_TRUE(test, homa_addr_from_wire(&addr, &from, 7));
	KUNIT_EXPECT_FALSE(test, ipv6_addr_equal(&addr, &from));
	back = homa_addr_to_wire(&addr, &ifindex);
	KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&back, &from));
	KUNIT_EXPECT_EQ(test, ifindex, 7);
	KUNIT_EXPECT_EQ(test, homa_addr_to_user(&user, AF_INET6, &addr, 5), sizeof(user));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&user.sin6_addr, &from));
	KUNIT_EXPECT_EQ(test, user.sin6_scope_id, 7);
	KUNIT_EXPECT_EQ(test, user.sin6_port, htons(5));
	KUNIT_EXPECT_EQ(test, user.sin6_flowinfo, 0);

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		from = in6(test, bad[i]);
		KUNIT_EXPECT_FALSE_MSG(test, homa_addr_from_wire(&addr, &from, 7), "%s", bad[i]);
	}
}

static void icmp_errors(struct kunit *test)
{
	static const struct {
		u8 type, code;
		int err;
	} v4[] = {
		{ ICMP_DEST_UNREACH, ICMP_NET_UNREACH, -EHOSTUNREACH },
		{ ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, -EHOSTUNREACH },
		{ ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, -EPROTONOSUPPORT },
		{ ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, -ENOTCONN },
		{ ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 0 },
		{ ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, -EHOSTUNREACH },
		{ ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0 },
		{ ICMP_SOURCE_QUENCH, 0, 0 },
		{ ICMP_PARAMETERPROB, 0, 0 },
		{ ICMP_REDIRECT, ICMP_REDIR_HOST, 0 },
	}, v6[] = {
		{ ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE, 0 },
		{ ICMPV6_DEST_UNREACH, ICMPV6_ADM_PROHIBITED, 0 },
		{ ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, -EHOSTUNREACH },
		{ ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, -ENOTCONN },
		{ ICMPV6_PKT_TOOBIG, 0, 0 },
		{ ICMPV6_TIME_EXCEED, 0, 0 },
		{ ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD, 0 },
		{ ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR, -EPROTONOSUPPORT },
		{ ICMPV6_PARAMPROB, ICMPV6_UNK_OPTION, 0 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(v4); i++)
		KUNIT_EXPECT_EQ_MSG(test, homa_icmp_errno(v4[i].type, v4[i].code), v4[i].err,
				    "v4 row %d", i);
	for (i = 0; i < ARRAY_SIZE(v6); i++)
		KUNIT_EXPECT_EQ_MSG(test, homa_icmp6_errno(v6[i].type, v6[i].code), v6[i].err,
				    "v6 row %d", i);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(from_inet),
	KUNIT_CASE(from_inet6),
	KUNIT_CASE(bad_names),
	KUNIT_CASE(wire),
	KUNIT_CASE(icmp_errors),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_addr",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
