/* SPDX-License-Identifier: GPL-2.0 */
/*
 * addr.h - addresses of hosts. Inside the module each is a struct in6_addr:
 *
 *   IPv4        v4-mapped. The form of the address alone decides which packets are sent, so an
 *               AF_INET6 socket talks IPv4 to a v4-mapped destination.
 *   link-local  with the interface index in bytes 4 to 7, which are zero on the wire: two neighbours
 *               of the same address on two interfaces are two peers.
 *
 * Here is the border: the forms of sockets and of packets are turned into ours and back. Pure.
 */
#ifndef P4HOMA_ADDR_H
#define P4HOMA_ADDR_H

#include <linux/socket.h>
#include <linux/types.h>
#include <net/ipv6.h>

static inline struct in6_addr homa_addr_v4(__be32 addr)
{
	return (struct in6_addr){ .s6_addr32 = { 0, 0, htonl(0x0000ffff), addr } };
}

static inline bool homa_addr_is_v4(const struct in6_addr *addr)
{
	return ipv6_addr_v4mapped(addr);
}

static inline __be32 homa_addr_to_v4(const struct in6_addr *addr)
{
	return addr->s6_addr32[3];
}

/* A source or destination that came in an IPv6 packet on that interface; false: drop it. */
bool homa_addr_from_wire(struct in6_addr *addr, const struct in6_addr *wire, u32 ifindex);
/* What to write into an IPv6 packet; *ifindex: where it must leave, or 0. */
struct in6_addr homa_addr_to_wire(const struct in6_addr *addr, u32 *ifindex);

/*
 * The destination that a program gives to a socket of that family; 0, EINVAL or EAFNOSUPPORT.
 * "Any" is this host. `ifindex`: the interface that the socket is bound to, or 0.
 */
int homa_addr_from_user(struct in6_addr *addr, u16 *port, int family, u32 ifindex,
			const struct sockaddr *from, size_t len);
/* Writes a sockaddr of that family, at most sizeof(struct sockaddr_in6); returns its length. */
int homa_addr_to_user(void *to, int family, const struct in6_addr *addr, u16 port);

#endif /* P4HOMA_ADDR_H */
