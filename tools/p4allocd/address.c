// SPDX-License-Identifier: GPL-2.0-or-later
/* address.c - see address.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "address.h"

int p4d_address_parse(struct p4d_address *a, const char *text, char *err, size_t size)
{
	char addr[INET_ADDRSTRLEN], name[IF_NAMESIZE];
	unsigned int bits;
	int end = 0;

	if (sscanf(text, "%15[0-9.]/%2u@%15s%n", addr, &bits, name, &end) != 3 || text[end] ||
	    inet_pton(AF_INET, addr, &a->addr) != 1 || bits > 32) {
		snprintf(err, size, "--address %s: must be ADDRESS/BITS@INTERFACE", text);
		return -EINVAL;
	}
	a->bits = bits;
	a->ifindex = if_nametoindex(name);
	if (a->ifindex)
		return 0;
	snprintf(err, size, "--address %s: no interface %s here", text, name);
	return -ENODEV;
}

/* Adds it, or changes its lifetime; or takes it away. */
static int tell_kernel(const struct p4d_address *a, int type, int flags, uint32_t seconds)
{
	struct ifaddrmsg head = {
		.ifa_family = AF_INET, .ifa_prefixlen = a->bits, .ifa_index = a->ifindex,
	};
	struct ifa_cacheinfo life = { .ifa_prefered = seconds, .ifa_valid = seconds };
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);
	struct nl_sock *sk = nl_socket_alloc();
	int err = -ENOMEM;

	if (m && sk && !nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) &&
	    !nla_put(m, IFA_LOCAL, sizeof(a->addr), &a->addr) &&
	    !nla_put(m, IFA_ADDRESS, sizeof(a->addr), &a->addr) &&
	    !nla_put(m, IFA_CACHEINFO, sizeof(life), &life)) {
		err = nl_connect(sk, NETLINK_ROUTE) < 0 ? -EPERM : nl_send_sync(sk, m);
		m = NULL;		/* nl_send_sync() frees it */
	}
	nlmsg_free(m);
	nl_socket_free(sk);
	return err < 0 ? -EPERM : 0;
}

/* An ARP request for itself, to everybody: who knows the address takes over where it is. */
static void tell_neighbours(const struct p4d_address *a)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = a->ifindex, .sll_halen = ETH_ALEN,
		.sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	struct ether_arp arp = {
		.ea_hdr = { htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), ETH_ALEN, 4,
			    htons(ARPOP_REQUEST) },
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
	struct ifreq ifr = { 0 };

	if (fd < 0)
		return;
	if (if_indextoname(a->ifindex, ifr.ifr_name) && !ioctl(fd, SIOCGIFHWADDR, &ifr) &&
	    ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
		memcpy(arp.arp_sha, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
		memcpy(arp.arp_spa, &a->addr, 4);
		memcpy(arp.arp_tpa, &a->addr, 4);
		sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to));
	}
	close(fd);
}

int p4d_address_hold(const struct p4d_address *a, uint32_t seconds)
{
	int err = tell_kernel(a, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, seconds);

	if (!err)
		tell_neighbours(a);
	return err;
}

void p4d_address_drop(const struct p4d_address *a)
{
	tell_kernel(a, RTM_DELADDR, 0, 0);
}
