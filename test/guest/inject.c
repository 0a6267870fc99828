// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inject.c - sends packets of IP protocol 146 that nobody should send: random ones, packets of every
 * type with fields at and beyond their limits, and what it has seen on the wire, changed, cut,
 * lengthened or sent again much later.
 *
 * What it sends follows from the seed and from what it sees. It listens on the device itself, so it
 * knows ids and offsets of live RPCs in both directions and hits them, not only the first checks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <p4wire.h>
#include "t_homa.h"

#define PACKET_MAX	4000	/* more than an MTU: some arrive in IP fragments */
#define RING		4096	/* packets that were seen */
#define BATCH		64

enum kind { RANDOM, TYPED, CHANGED, RESIZED, AGAIN, NR_KINDS };
static const char *const kind_name[NR_KINDS] = { "random", "typed", "changed", "resized", "again" };

struct packet {
	uint16_t len;
	uint8_t data[PACKET_MAX];
};

static struct options {
	struct sockaddr_storage to;
	const char *device;
	uint64_t count;
	uint64_t seed;
	uint64_t rate;		/* packets a second; 0: as fast as it goes */
	uint16_t spare;		/* no request is sent to this port */
} opt = { .count = 100000, .seed = 1 };

static struct packet *ring;
static uint32_t nr_seen;
static uint64_t nr_sent[NR_KINDS], nr_refused;

/* ---------------------------------------------------------------- chance */

static uint64_t state;

static uint64_t draw(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static uint32_t below(uint32_t n)
{
	return (draw() >> 32) % n;
}

/* A number that some check may have forgotten. */
static uint32_t odd_number(void)
{
	static const uint32_t edges[] = {
		0, 1, 2, 7, 8, 9, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 1424, 1425,
		40000, 40001, P4W_MSG_MAX - 1, P4W_MSG_MAX, P4W_MSG_MAX + 1, 0x7fffffff,
		0x80000000, 0x80000001, 0xfffffffe, 0xffffffff,
	};

	return below(4) ? edges[below(sizeof(edges) / sizeof(*edges))] : (uint32_t)draw();
}

static void fill_random(uint8_t *p, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		p[i] = draw() >> 40;
}

/* ---------------------------------------------------------------- what was seen */

static bool is_type(uint8_t type)
{
	return (type >= P4W_DATA && type <= P4W_ACK) || type == P4W_TXN || type == P4W_TXN_REPLY;
}

/* Bytes before the transport header of an IP packet of protocol 146; 0: not one. */
static uint32_t ip_header_len(const uint8_t *p, ssize_t len)
{
	if (len > 20 && p[0] >> 4 == 4 && p[9] == P4W_IPPROTO)
		return (p[0] & 15) * 4;
	if (len > 40 && p[0] >> 4 == 6 && p[6] == P4W_IPPROTO)
		return 40;
	return 0;
}

static void look(int tap)
{
	uint8_t buf[65536];
	ssize_t len;
	int i;

	for (i = 0; i < BATCH; i++) {
		struct packet *p = &ring[nr_seen % RING];
		uint32_t skip;

		len = recv(tap, buf, sizeof(buf), MSG_DONTWAIT);
		if (len < 0)
			return;
		skip = ip_header_len(buf, len);
		if (!skip || len - skip < P4W_COMMON_LEN)
			continue;
		p->len = len - skip > PACKET_MAX ? PACKET_MAX : len - skip;
		memcpy(p->data, buf + skip, p->len);
		nr_seen++;
	}
}

static const struct packet *any_seen(void)
{
	return &ring[below(nr_seen < RING ? nr_seen : RING)];
}

/* ---------------------------------------------------------------- packets */

static void make_random(struct packet *p)
{
	p->len = below(4) ? below(120) : below(PACKET_MAX);
	fill_random(p->data, p->len);
}

/* A header of a known type; addressed to a live RPC, if one was seen, and nonsense in its fields. */
static void make_typed(struct packet *p)
{
	static const uint8_t types[] = {
		P4W_DATA, P4W_GRANT, P4W_RESEND, P4W_RPC_UNKNOWN, P4W_BUSY, P4W_CUTOFFS,
		P4W_FREEZE, P4W_NEED_ACK, P4W_ACK, P4W_TXN, P4W_TXN_REPLY,
	};
	struct p4w_common *c = (struct p4w_common *)p->data;
	uint32_t i, fields;

	fill_random(p->data, 256);
	if (nr_seen) {
		memcpy(c, any_seen()->data, sizeof(*c));
		if (!below(4))
			c->sender_id = htobe64(be64toh(c->sender_id) + below(64) - 32);
	} else {
		c->dport = htons(below(2) ? 4000 : below(65536));
		c->sport = htons(below(65536));
	}
	c->type = types[below(sizeof(types))];
	fields = below(8);
	for (i = 0; i < fields; i++) {
		uint32_t value = htonl(odd_number());

		memcpy(p->data + sizeof(*c) + 4 * below(16), &value, sizeof(value));
	}
	p->len = below(3) ? sizeof(*c) + below(200) : below(1500);
	if (p->len > 256)
		fill_random(p->data + 256, p->len - 256);
}

static void make_changed(struct packet *p)
{
	uint32_t i, changes = 1 + below(4);

	*p = *any_seen();
	for (i = 0; i < changes; i++)
		p->data[below(p->len < 80 ? p->len : 80)] ^= 1 << below(8);
}

static void make_resized(struct packet *p)
{
	uint32_t len;

	*p = *any_seen();
	len = below(2) ? below(p->len + 1) : p->len + below(PACKET_MAX - p->len + 1);
	if (len > p->len)
		fill_random(p->data + p->len, len - p->len);
	p->len = len;
}

static enum kind make(struct packet *p)
{
	enum kind kind = below(nr_seen ? NR_KINDS : CHANGED);

	switch (kind) {
	case RANDOM:
		make_random(p);
		break;
	case TYPED:
		make_typed(p);
		break;
	case CHANGED:
		make_changed(p);
		break;
	case RESIZED:
		make_resized(p);
		break;
	default:
		*p = *any_seen();
	}
	return kind;
}

/* Others check what comes to the spared port byte by byte. */
static bool is_spared(const struct packet *p)
{
	const struct p4w_common *c = (const struct p4w_common *)p->data;

	return opt.spare && p->len >= sizeof(*c) && is_type(c->type) &&
	       (ntohs(c->dport) == opt.spare || ntohs(c->sport) == opt.spare);
}

static void send_batch(int fd, int size)
{
	static struct packet packets[BATCH];
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	int i, nr = 0, sent = 0;

	while (nr < size) {
		struct packet *p = &packets[nr];
		enum kind kind = make(p);

		if (is_spared(p))
			continue;
		nr_sent[kind]++;
		iov[nr] = (struct iovec){ p->data, p->len };
		msgs[nr].msg_hdr = (struct msghdr){
			.msg_iov = &iov[nr], .msg_iovlen = 1,
			.msg_name = &opt.to, .msg_namelen = sizeof(opt.to),
		};
		nr++;
	}
	for (i = 0; i < nr; i += sent) {
		sent = sendmmsg(fd, msgs + i, nr - i, 0);
		if (sent > 0)
			continue;
		/* An ICMP error of an earlier one, a full queue: this packet is not sent. */
		nr_refused++;
		sent = 1;
	}
}

static int open_tap(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));

	at.sll_ifindex = if_nametoindex(opt.device);
	if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		fprintf(stderr, "inject: --device %s: %s\n", opt.device, strerror(errno));
		exit(T_FAIL);
	}
	return fd;
}

/* As many packets as the rate allows have been sent since `start`. */
static void keep_pace(uint64_t start, uint64_t sent)
{
	uint64_t due = start + (uint64_t)(sent * 1e9 / opt.rate), now = t_now_ns();

	if (due > now)
		usleep((due - now) / 1000);
}

static int run(void)
{
	int fd = socket(opt.to.ss_family, SOCK_RAW, P4W_IPPROTO), tap = open_tap(), i;
	int size = opt.rate ? BATCH / 8 : BATCH;
	uint64_t sent = 0, shown = 0, start = t_now_ns();

	ring = calloc(RING, sizeof(*ring));
	state = opt.seed * 0x9e3779b97f4a7c15ull | 1;
	if (fd < 0 || !ring) {
		fprintf(stderr, "inject: raw socket: %s\n", strerror(errno));
		return T_FAIL;
	}
	while (sent < opt.count) {
		look(tap);
		send_batch(fd, size);
		sent += size;
		if (opt.rate)
			keep_pace(start, sent);
		if (sent - shown >= 1000000) {
			shown = sent;
			printf("inject: %llu of %llu\n", (unsigned long long)sent,
			       (unsigned long long)opt.count);
			fflush(stdout);
		}
	}
	printf("inject: %llu packets, %llu refused here, %u seen;", (unsigned long long)sent,
	       (unsigned long long)nr_refused, nr_seen);
	for (i = 0; i < NR_KINDS; i++)
		printf(" %s %llu", kind_name[i], (unsigned long long)nr_sent[i]);
	printf("\n");
	return nr_seen && nr_refused < sent / 2 ? T_PASS : T_FAIL;
}

/* ---------------------------------------------------------------- command line */

static void usage(FILE *to)
{
	fputs("usage: inject --to ADDRESS --device NAME [--count N] [--seed N]\n"
	      "              [--spare PORT] [--rate N]\n"
	      "Sends N packets of IP protocol 146 to ADDRESS (IPv4 or IPv6): random, malformed,\n"
	      "changed and repeated ones; listens on the device for some to change and repeat.\n"
	      "--spare: no packet from or to that Homa port. --rate: packets a second. Exit 1 if\n"
	      "nothing was seen there, or most packets were refused by this host itself.\n", to);
}

static bool parse_address(const char *text)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&opt.to;
	struct sockaddr_in *in = (struct sockaddr_in *)&opt.to;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		in->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		in6->sin6_family = AF_INET6;
	return opt.to.ss_family;
}

static const struct option long_options[] = {
	{ "to", required_argument, NULL, 't' }, { "device", required_argument, NULL, 'd' },
	{ "count", required_argument, NULL, 'c' }, { "seed", required_argument, NULL, 's' },
	{ "spare", required_argument, NULL, 'p' }, { "rate", required_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' }, { 0 }
};

static void take_option(int c)
{
	switch (c) {
	case 't':
		if (!parse_address(optarg)) {
			fprintf(stderr, "inject: --to: '%s' is no IPv4 or IPv6 address\n", optarg);
			exit(2);
		}
		break;
	case 'd':
		opt.device = optarg;
		break;
	case 'c':
		opt.count = t_parse_number("--count", optarg, 1, 1000000000);
		break;
	case 's':
		opt.seed = t_parse_number("--seed", optarg, 0, 1000000000);
		break;
	case 'p':
		opt.spare = t_parse_number("--spare", optarg, 1, 65535);
		break;
	case 'r':
		opt.rate = t_parse_number("--rate", optarg, 1, 1000000);
		break;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		take_option(c);
	if (optind != argc || !opt.to.ss_family || !opt.device) {
		usage(stderr);
		return 2;
	}
	return run();
}
