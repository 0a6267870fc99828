// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * unreachable.c - what a program hears of hosts that cannot be reached: errors of routing, and ICMP
 * errors, forged here, which count only if they quote a packet of an RPC that is alive.
 *
 * usage: unreachable. 192.0.2.0/24 has to be on a device whose MTU is 68; 203.0.113.0/24 and
 * 2001:db8:1::/64 on one without neighbours, which is known soon.
 */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <p4wire.h>
#include "t_expect.h"
#include "t_homa.h"

#define PORT	4000

static union {
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} host;

static void *address(int family, const char *text)
{
	memset(&host, 0, sizeof(host));
	host.v4.sin_family = family;
	host.v4.sin_port = htons(PORT);
	inet_pton(family, text, family == AF_INET ? (void *)&host.v4.sin_addr :
						    (void *)&host.v6.sin6_addr);
	return &host;
}

static void routes(void)
{
	struct t_homa h4, h6;

	EXPECT(t_homa_open_family(&h4, AF_INET, 0), 0);
	EXPECT(t_homa_open_family(&h6, AF_INET6, 0), 0);
	EXPECT(t_homa_request(&h4, address(AF_INET, "198.51.100.1"), "x", 1, 0, NULL), -ENETUNREACH);
	EXPECT(t_homa_request(&h6, address(AF_INET6, "2001:db8::1"), "x", 1, 0, NULL), -ENETUNREACH);
	EXPECT(t_homa_request(&h6, address(AF_INET6, "::ffff:198.51.100.1"), "x", 1, 0, NULL),
	       -ENETUNREACH);
	EXPECT(t_homa_request(&h4, address(AF_INET, "192.0.2.9"), "x", 1, 0, NULL), -EINVAL);
	t_homa_close(&h4);
	t_homa_close(&h6);
}

/* ---------------------------------------------------------------- ICMP */

struct quote {
	uint16_t sport, dport;
	uint64_t id;
};

static uint16_t sum_of(const void *data, size_t len)
{
	const uint16_t *p = data;
	uint32_t sum = 0;

	for (; len; len -= 2)
		sum += *p++;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

static struct p4w_common quoted(const struct quote *q)
{
	return (struct p4w_common){
		.sport = htons(q->sport), .dport = htons(q->dport), .type = P4W_DATA,
		.sender_id = htobe64(q->id),
	};
}

static void forge4(uint8_t type, uint8_t code, const struct quote *q)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct {
		struct icmphdr icmp;
		struct iphdr ip;
		struct p4w_common homa;
	} __attribute__((packed)) p = {
		.icmp = { .type = type, .code = code, .un.frag.mtu = 0xffff },
		.ip = { .version = 4, .ihl = 5, .tot_len = htons(200), .protocol = P4W_IPPROTO,
			.saddr = htonl(INADDR_LOOPBACK), .daddr = htonl(INADDR_LOOPBACK) },
		.homa = quoted(q),
	};

	p.icmp.checksum = sum_of(&p, sizeof(p));
	EXPECT(sendto(fd, &p, sizeof(p), 0, (void *)&host, sizeof(host.v4)), sizeof(p));
	close(fd);
}

static void forge6(uint8_t type, uint8_t code, const struct quote *q)
{
	int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	struct sockaddr_in6 to = host.v6;
	struct {
		struct icmp6_hdr icmp;
		struct ip6_hdr ip;
		struct p4w_common homa;
	} __attribute__((packed)) p = {
		.icmp = { .icmp6_type = type, .icmp6_code = code },
		.ip = { .ip6_flow = htonl(6u << 28), .ip6_plen = htons(200), .ip6_nxt = P4W_IPPROTO,
			.ip6_src = in6addr_loopback, .ip6_dst = in6addr_loopback },
		.homa = quoted(q),
	};

	/* Where the offending byte is: that of the next header. */
	if (type == ICMP6_PARAM_PROB)
		p.icmp.icmp6_pptr = htonl(6);
	to.sin6_port = 0;
	EXPECT(sendto(fd, &p, sizeof(p), 0, (void *)&to, sizeof(to)), sizeof(p));
	close(fd);
}

/* Its server has the request and does not answer. 0: it goes on waiting for that. */
static int outcome(int family, uint8_t type, uint8_t code, struct quote by)
{
	struct t_message m = { 0 };
	struct quote q = { .dport = PORT };
	struct homa_abort_args abort = { 0 };
	struct homa_info info = { 0 };
	struct t_homa client;
	int err;

	EXPECT(t_homa_open_family(&client, family, 0), 0);
	EXPECT(t_homa_request(&client, &host, "x", 1, 77, &q.id), 0);
	EXPECT(ERR(ioctl(client.fd, HOMAIOCINFO, &info)), 0);
	q.sport = info.port + by.sport;
	q.dport += by.dport;
	abort.id = q.id;
	q.id += by.id;
	if (family == AF_INET)
		forge4(type, code, &q);
	else
		forge6(type, code, &q);
	err = t_homa_recv(&client, &m, 50);
	if (err == -ETIME) {
		err = 0;
		EXPECT(ERR(ioctl(client.fd, HOMAIOCABORT, &abort)), 0);
	} else {
		EXPECT(m.args.id == abort.id && m.args.completion_cookie == 77, 1);
	}
	t_homa_close(&client);
	return err;
}

static void icmp(void)
{
	static const struct {
		int family;
		uint8_t type, code;
		struct quote by;	/* what is added to the right one */
		int want;
	} t[] = {
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, { 0 }, -ENOTCONN },
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, { 0 }, -EPROTONOSUPPORT },
		/* said of a host that lives */
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, { 0 }, 0 },
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, { 0 }, 0 },
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, { 0 }, 0 },
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, { 0 }, 0 },
		{ AF_INET, ICMP_TIME_EXCEEDED, 0, { 0 }, 0 },
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, { .id = 2 }, 0 },
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, { .sport = 1 }, 0 },
		{ AF_INET, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, { .dport = 1 }, 0 },
		{ AF_INET6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, { 0 }, -ENOTCONN },
		{ AF_INET6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR, { 0 }, 0 },
		{ AF_INET6, ICMP6_PARAM_PROB, ICMP6_PARAMPROB_NEXTHEADER, { 0 }, -EPROTONOSUPPORT },
		{ AF_INET6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN, { 0 }, 0 },
		{ AF_INET6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, { .id = 2 }, 0 },
	};
	struct t_homa server;
	size_t i;

	EXPECT(t_homa_open_family(&server, AF_INET6, PORT), 0);
	for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int err;

		address(t[i].family, t[i].family == AF_INET ? "127.0.0.1" : "::1");
		err = outcome(t[i].family, t[i].type, t[i].code, t[i].by);
		if (err != t[i].want)
			printf("unreachable: row %zu: got %d, wanted %d\n", i, err, t[i].want), bad = 1;
	}
	t_homa_close(&server);
}

/* Of a host that stays out of reach, which is said at once, one hears when it has had time to answer. */
static void silent_hosts(void)
{
	static const char * const silent[] = { "203.0.113.9", "2001:db8:1::9" };
	struct t_message m = { 0 };
	struct t_homa h;
	int i;

	for (i = 0; i < 2; i++) {
		int family = i ? AF_INET6 : AF_INET;
		uint64_t id;

		EXPECT(t_homa_open_family(&h, family, 0), 0);
		EXPECT(t_homa_request(&h, address(family, silent[i]), "x", 1, 5, &id), 0);
		EXPECT(t_homa_recv(&h, &m, 10000), -EHOSTUNREACH);
		EXPECT(m.args.id == id, 1);
		t_homa_close(&h);
		m = (struct t_message){ 0 };
	}
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		fputs("usage: unreachable\n", stderr);
		return 2;
	}
	routes();
	silent_hosts();
	icmp();
	return bad ? T_FAIL : T_PASS;
}
