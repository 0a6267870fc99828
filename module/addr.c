// SPDX-License-Identifier: GPL-2.0
/*
 * addr.c - addresses of hosts between their form in the module and those of sockets and packets.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/string.h>

#include "addr.h"

static bool is_link_local(const struct in6_addr *addr)
{
	return ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL;
}

bool homa_addr_from_wire(struct in6_addr *addr, const struct in6_addr *wire, u32 ifindex)
{
	*addr = *wire;
	/* An IPv4 address in an IPv6 packet would be a way around filters for IPv4. */
	if (ipv6_addr_any(wire) || ipv6_addr_is_multicast(wire) || ipv6_addr_v4mapped(wire))
		return false;
	if (!is_link_local(wire))
		return true;
	if (wire->s6_addr32[1])
		return false;
	addr->s6_addr32[1] = (__force __be32)ifindex;
	return true;
}

struct in6_addr homa_addr_to_wire(const struct in6_addr *addr, u32 *ifindex)
{
	struct in6_addr wire = *addr;

	*ifindex = 0;
	if (is_link_local(addr)) {
		*ifindex = (__force u32)addr->s6_addr32[1];
		wire.s6_addr32[1] = 0;
	}
	return wire;
}

static int from_in6(struct in6_addr *addr, u32 ifindex, const struct sockaddr_in6 *in6)
{
	*addr = in6->sin6_addr;
	if (ipv6_addr_any(addr))
		*addr = in6addr_loopback;
	if (ipv6_addr_v4mapped(addr) && !addr->s6_addr32[3])
		*addr = homa_addr_v4(htonl(INADDR_LOOPBACK));
	if (!is_link_local(addr))
		return 0;
	if (in6->sin6_scope_id && ifindex && in6->sin6_scope_id != ifindex)
		return -EINVAL;
	ifindex = in6->sin6_scope_id ?: ifindex;
	if (!ifindex || addr->s6_addr32[1])
		return -EINVAL;
	addr->s6_addr32[1] = (__force __be32)ifindex;
	return 0;
}

int homa_addr_from_user(struct in6_addr *addr, u16 *port, int family, u32 ifindex,
			const struct sockaddr *from, size_t len)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;

	if (len < sizeof(from->sa_family))
		return -EINVAL;
	if (from->sa_family != family)
		return -EAFNOSUPPORT;
	if (len < (family == AF_INET ? sizeof(*in) : sizeof(*in6)))
		return -EINVAL;
	*port = ntohs(in->sin_port);	/* same place in both */
	if (family == AF_INET) {
		*addr = homa_addr_v4(in->sin_addr.s_addr ?: htonl(INADDR_LOOPBACK));
		return 0;
	}
	return from_in6(addr, ifindex, in6);
}

int homa_addr_to_user(void *to, int family, const struct in6_addr *addr, u16 port)
{
	struct sockaddr_in6 *in6 = to;
	struct sockaddr_in *in = to;

	if (family == AF_INET) {
		memset(in, 0, sizeof(*in));
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = homa_addr_to_v4(addr);
		return sizeof(*in);
	}
	memset(in6, 0, sizeof(*in6));
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_addr = homa_addr_to_wire(addr, &in6->sin6_scope_id);
	return sizeof(*in6);
}
