// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * other-homa.c - a host with another implementation of Homa, as HomaModule is described: it puts the
 * offset of DATA into `sequence`, grants with 33 bytes, sends ids from 2 on, pads its header with
 * what it likes, and takes only whole packets. It speaks to ours as a client and as a server, and
 * looks at each byte of what it gets.
 *
 * A packet socket on a device without an address: the kernel of this host has no part in it. All
 * bytes are written and read by their offsets, no structure of ours is used.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t_expect.h"
#include "t_homa.h"

#define US		0x0a000002	/* 10.0.0.2 */
#define THEM		0x0a000001
#define OUR_PORT	40000
#define SERVER_PORT	4000		/* theirs */
#define SEG		1424		/* bytes in a packet, MTU 1500 */
#define WAIT_MS		5000
#define QUIET_MS	30	/* a third of what a silent client is given */

enum { DATA = 0x10, GRANT, RESEND, UNKNOWN, BUSY, CUTOFFS, FREEZE, NEED_ACK, ACK };

struct packet {
	uint32_t len;		/* after the IP header */
	uint8_t tos;
	uint8_t p[10000];
};

static int fd;
static uint8_t our_mac[6], their_mac[6];
static uint8_t message[HOMA_MAX_MESSAGE_LENGTH];

static uint32_t get(const struct packet *k, int at, int bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | k->p[at++];
	return value;
}

static uint64_t get64(const struct packet *k, int at)
{
	return (uint64_t)get(k, at, 4) << 32 | get(k, at + 4, 4);
}

static void put(struct packet *k, int at, int bytes, uint64_t value)
{
	while (bytes--) {
		k->p[at + bytes] = value;
		value >>= 8;
	}
}

/* ---------------------------------------------------------------- the wire */

static uint16_t sum_of(const uint8_t *p, int len)
{
	uint32_t sum = 0;

	for (; len > 0; len -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

static void transmit_as(struct packet *k, const struct virtio_net_hdr *v)
{
	uint8_t buffer[sizeof(*v) + 14 + 20 + sizeof(k->p)] = { 0 };
	uint8_t *frame = buffer + sizeof(*v);
	uint8_t *ip = frame + 14;
	ssize_t len = sizeof(*v) + 34 + k->len;
	uint16_t sum;

	memcpy(buffer, v, sizeof(*v));

	memcpy(frame, their_mac, 6);
	memcpy(frame + 6, our_mac, 6);
	frame[12] = ETH_P_IP >> 8;
	ip[0] = 0x45;
	ip[1] = k->tos;
	ip[2] = (20 + k->len) >> 8;
	ip[3] = 20 + k->len;
	ip[8] = 64;
	ip[9] = 146;
	memcpy(ip + 12, &(uint32_t){ htonl(US) }, 4);
	memcpy(ip + 16, &(uint32_t){ htonl(THEM) }, 4);
	sum = sum_of(ip, 20);
	ip[10] = sum >> 8;
	ip[11] = sum;
	memcpy(ip + 20, k->p, k->len);
	if (send(fd, buffer, len, 0) != len) {
		perror("other-homa: send");
		exit(T_FAIL);
	}
}

static void transmit(struct packet *k)
{
	transmit_as(k, &(struct virtio_net_hdr){ 0 });
}

/* The next packet of Homa; false: none in time. */
static bool next(struct packet *k, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t buffer[4000], *frame = buffer + sizeof(struct virtio_net_hdr);

	while (poll(&p, 1, ms) == 1) {
		ssize_t len = recv(fd, buffer, sizeof(buffer), 0) - sizeof(struct virtio_net_hdr);

		if (len < 34 || frame[12] != ETH_P_IP >> 8 || frame[14] != 0x45 || frame[23] != 146)
			continue;
		k->len = (frame[16] << 8 | frame[17]) - 20;
		if (k->len > sizeof(k->p) || k->len + 34 > (uint32_t)len) {
			printf("other-homa: a packet of %u bytes\n", k->len);
			exit(T_FAIL);
		}
		k->tos = frame[15];
		memcpy(k->p, frame + 34, k->len);
		return true;
	}
	return false;
}

/* What every packet of ours says in its first 28 bytes. */
static void check_common(const struct packet *k)
{
	bool is_data = k->p[11] == DATA;

	if (!is_data)
		EXPECT(get(k, 4, 4), 0);
	EXPECT(get(k, 8, 3), 0);
	EXPECT(k->p[12], is_data ? 0xe0 : 0x50);
	EXPECT(k->p[13], 6);
	EXPECT(get(k, 14, 2), 0);
	EXPECT(get(k, 18, 2), 0xb97d);
	EXPECT(k->tos & 0x1f, 0);
}

struct rpc {
	uint64_t id;		/* as we know it */
	uint16_t sport, dport;
	uint32_t len;		/* of what we send */
	uint16_t version;	/* of their cutoffs */
	uint64_t acked;		/* one of our RPCs that they may forget */
};

static void send_resend(const struct rpc *r, uint32_t offset, uint32_t len, uint8_t priority,
			uint32_t bytes);

/* Our request whose response is not here, or NULL: who wants it acknowledged is asked for it. */
static const struct rpc *asking;

/* May come at any time. */
static bool is_aside(const struct packet *k)
{
	uint8_t type = k->p[11];

	if (type == NEED_ACK && asking && get64(k, 20) == (asking->id ^ 1)) {
		send_resend(asking, 0, 0xffffffff, 7, 37);
		return true;
	}
	return type == CUTOFFS || type == NEED_ACK || type == RESEND || type == GRANT ||
	       type == BUSY;
}

/* The next packet of that type for the RPC, which must be so long unless `len` is 0. */
static bool expect_packet(struct packet *k, uint8_t type, uint64_t id, uint32_t len)
{
	while (next(k, WAIT_MS)) {
		check_common(k);
		if (k->p[11] == type && get64(k, 20) == id) {
			if (len)
				EXPECT(k->len, len);
			return true;
		}
		if (!is_aside(k)) {
			printf("other-homa: type %x of RPC %llx, wanted %x of %llx\n", k->p[11],
			       (unsigned long long)get64(k, 20), type, (unsigned long long)id);
			bad = 1;
			return false;
		}
	}
	printf("other-homa: nothing of type %x came for %llx\n", type, (unsigned long long)id);
	bad = 1;
	return false;
}

static bool is_quiet(uint8_t unless)
{
	struct packet k;

	while (next(&k, QUIET_MS))
		if (k.p[11] == unless)
			return false;
	return true;
}

static void begin(struct packet *k, uint8_t type, uint64_t id, uint16_t sport, uint16_t dport)
{
	memset(k, 0, sizeof(*k));
	put(k, 0, 2, sport);
	put(k, 2, 2, dport);
	k->p[11] = type;
	k->p[12] = type == DATA ? 0xe0 : 0x50;
	k->p[13] = 6;
	put(k, 14, 2, 0x1234);		/* nobody's business */
	put(k, 18, 2, 0xb97d);
	put(k, 20, 8, id);
	k->len = 28;
	k->tos = 7 << 5;
}

static void send_data(const struct rpc *r, uint32_t offset, uint32_t incoming, bool again)
{
	uint32_t len = r->len - offset < SEG ? r->len - offset : SEG;
	struct packet k;

	begin(&k, DATA, r->id, r->sport, r->dport);
	put(&k, 4, 4, offset);
	put(&k, 28, 4, r->len);
	put(&k, 32, 4, incoming);
	put(&k, 36, 8, r->acked);
	put(&k, 44, 2, r->acked ? SERVER_PORT : 0);
	put(&k, 46, 2, r->version);
	k.p[48] = again;
	put(&k, 52, 4, 0xffffffff);
	memcpy(k.p + 56, message + offset, len);
	k.len = 56 + len;
	transmit(&k);
}

static void send_simple(const struct rpc *r, uint8_t type)
{
	struct packet k;

	begin(&k, type, r->id, r->sport, r->dport);
	if (type == ACK)
		k.len = 80;
	transmit(&k);
}

/* `resend_all` only where it has 34 bytes. */
static void send_grant(const struct rpc *r, uint32_t offset, uint8_t priority, uint32_t bytes,
		       bool resend_all)
{
	struct packet k;

	begin(&k, GRANT, r->id, r->sport, r->dport);
	put(&k, 28, 4, offset);
	k.p[32] = priority;
	k.p[33] = resend_all;
	k.len = bytes;
	transmit(&k);
}

static void send_resend(const struct rpc *r, uint32_t offset, uint32_t len, uint8_t priority,
			uint32_t bytes)
{
	struct packet k;

	begin(&k, RESEND, r->id, r->sport, r->dport);
	put(&k, 28, 4, offset);
	put(&k, 32, 4, len);
	k.p[36] = priority;
	k.len = bytes;
	transmit(&k);
}

/* Of the message that we send, two pieces in one buffer, each with an offset of its own, as from a device
 * that leaves it to the next to cut them.
 */
static void send_woven(const struct rpc *r, uint32_t pieces)
{
	struct virtio_net_hdr v = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 34 + 52,
		.gso_size = SEG + 4,
		.csum_start = 34,
		.csum_offset = 16,
	};
	uint32_t i, at = 52;
	struct packet k;

	begin(&k, DATA, r->id, r->sport, r->dport);
	k.p[12] = 0xd0;
	put(&k, 28, 4, r->len);
	put(&k, 32, 4, r->len);
	put(&k, 46, 2, r->version);
	for (i = 0; i < pieces; i++) {
		uint32_t len = r->len - i * SEG < SEG ? r->len - i * SEG : SEG;

		put(&k, at, 4, i * SEG);
		memcpy(k.p + at + 4, message + i * SEG, len);
		at += 4 + len;
	}
	k.len = at;
	transmit_as(&k, &v);
}

/* One packet of a message of `total` bytes that begins at `offset`. */
static void check_data(const struct packet *k, uint32_t total, uint32_t offset, bool again)
{
	uint32_t len = total - offset < SEG ? total - offset : SEG;

	EXPECT(k->len, 56 + len);
	EXPECT(get(k, 28, 4), total);
	EXPECT(get(k, 32, 4) >= offset + len && get(k, 32, 4) <= total, 1);
	EXPECT(k->p[48], again);
	EXPECT(get(k, 49, 3), 0);
	EXPECT(get(k, 4, 4), offset);
	EXPECT(get(k, 52, 4), offset);
	EXPECT(memcmp(k->p + 56, message + offset, len), 0);
}

/* ---------------------------------------------------------------- we are the client */

/* A short request and its response; the cutoffs, which we don't have yet, come too. */
static void short_request(struct rpc *r)
{
	struct packet k;
	bool cutoffs = false, data = false;

	asking = r;
	send_data(r, 0, r->len, false);
	while (!(cutoffs && data) && next(&k, WAIT_MS)) {
		check_common(&k);
		EXPECT(get(&k, 0, 2), SERVER_PORT);
		EXPECT(get(&k, 2, 2), OUR_PORT);
		EXPECT(get64(&k, 20) == (r->id ^ 1), 1);
		if (k.p[11] == CUTOFFS) {
			EXPECT(k.len, 62);
			EXPECT(get(&k, 28, 4) >= get(&k, 32, 4), 1);
			r->version = get(&k, 60, 2);
			EXPECT(r->version != 0, 1);
			EXPECT(k.tos, 7 << 5);
			cutoffs = true;
		} else if (!is_aside(&k)) {
			EXPECT(k.p[11], DATA);
			check_data(&k, r->len, 0, false);
			EXPECT(get64(&k, 36) == 0 && get(&k, 44, 2) == 0, 1);
			EXPECT(get(&k, 46, 2), 0);
			data = true;
		}
	}
	EXPECT(cutoffs && data, 1);
	asking = NULL;
	EXPECT(expect_packet(&k, NEED_ACK, r->id ^ 1, 28), 1);
	send_simple(r, ACK);
	EXPECT(is_quiet(NEED_ACK), 1);
	/* Late, after it was served: it does not run again. */
	send_data(r, 0, r->len, false);
	EXPECT(is_quiet(DATA), 1);
}

/* All of the response, which is the request. */
static bool take_response(const struct rpc *r, bool again)
{
	struct packet k;
	uint32_t offset;

	for (offset = 0; offset < r->len; offset += SEG) {
		if (!expect_packet(&k, DATA, r->id ^ 1, 0)) {
			printf("other-homa: at offset %u\n", offset);
			return false;
		}
		check_data(&k, r->len, offset, again);
	}
	return true;
}

/* A packet of the request is lost; the response is acknowledged with the next request's DATA. */
static void lost_packet(struct rpc *r)
{
	uint32_t offset, lost = 2 * SEG;
	struct packet k;

	for (offset = 0; offset < r->len; offset += SEG)
		if (offset != lost)
			send_data(r, offset, r->len, false);
	EXPECT(expect_packet(&k, RESEND, r->id ^ 1, 37), 1);
	EXPECT(get(&k, 28, 4), lost);
	EXPECT(get(&k, 32, 4), SEG);
	EXPECT(k.p[36], 7);
	send_data(r, lost, lost + SEG, true);
	take_response(r, false);
	r->acked = r->id;
}

/* Both messages are too long to come unasked. */
static void long_request(struct rpc *r)
{
	uint32_t offset, granted = 10000 / SEG * SEG, sent = 0, asked;
	struct packet k;

	while (sent < r->len) {
		for (; sent < granted && sent < r->len; sent += SEG) {
			send_data(r, sent, granted, false);
			r->acked = 0;
		}
		while (sent < r->len && granted <= sent) {
			if (!expect_packet(&k, GRANT, r->id ^ 1, 34))
				return;
			EXPECT(k.p[32] < 8, 1);
			EXPECT(k.p[33], 0);
			EXPECT(get(&k, 28, 4) > granted, 1);
			granted = get(&k, 28, 4);
		}
	}
	for (offset = 0, asked = 0; offset < r->len; offset += SEG) {
		uint32_t end = offset + SEG < r->len ? offset + SEG : r->len;

		if (!expect_packet(&k, DATA, r->id ^ 1, 56 + end - offset)) {
			printf("other-homa: at offset %u, granted %u\n", offset, asked);
			return;
		}
		EXPECT(memcmp(k.p + 56, message + offset, end - offset), 0);
		if (asked)
			EXPECT(k.tos, 3 << 5);
		if (asked || end < get(&k, 32, 4))
			continue;
		EXPECT(is_quiet(DATA), 1);		/* it waits for us */
		asked = end;
		send_grant(r, 0xffffffff, 3, 33, false);
	}
	EXPECT(asked > 0, 1);
	/* Again: one packet, asked for with 36 bytes; and all, with the length -1. */
	usleep(50000);
	send_resend(r, SEG, SEG, 0, 36);
	EXPECT(expect_packet(&k, DATA, r->id ^ 1, 56 + SEG), 1);
	check_data(&k, r->len, SEG, true);
	EXPECT(k.tos, 7 << 5);
	EXPECT(is_quiet(DATA), 1);
	send_resend(r, 0, 0xffffffff, 2, 37);
	for (offset = 0; offset < r->len; offset += SEG) {
		if (!expect_packet(&k, DATA, r->id ^ 1, 0)) {
			printf("other-homa: again at offset %u\n", offset);
			return;
		}
		EXPECT(get(&k, 52, 4), offset);
		EXPECT(k.p[48], 1);
		EXPECT(k.tos, 2 << 5);
	}
	send_simple(r, ACK);
	EXPECT(is_quiet(DATA), 1);
}

/* Words about a response that is out: what is no word, what asks for nothing, what asks for all. */
static void words(struct rpc *r)
{
	struct packet k;

	send_data(r, 0, r->len, false);
	send_data(r, SEG, r->len, false);
	send_data(r, 2 * SEG, r->len, false);
	take_response(r, false);
	usleep(QUIET_MS * 1000);
	send_resend(r, 0, SEG, 8, 37);			/* no such priority */
	send_resend(r, 0xfffffff0, 0x20, 7, 37);	/* beyond all numbers */
	send_resend(r, r->len, SEG, 7, 37);		/* beyond the end */
	EXPECT(expect_packet(&k, BUSY, r->id ^ 1, 28), 1);
	EXPECT(is_quiet(DATA), 1);
	send_resend(r, 0, 0, 7, 37);			/* "are you there?" */
	EXPECT(expect_packet(&k, BUSY, r->id ^ 1, 28), 1);
	EXPECT(is_quiet(DATA), 1);
	send_grant(r, r->len, 8, 34, true);
	send_grant(r, r->len, 2, 33, true);
	EXPECT(is_quiet(DATA), 1);
	send_grant(r, r->len, 2, 34, true);
	take_response(r, true);
	send_simple(r, UNKNOWN);			/* it may go */
	send_resend(r, 0, 0xffffffff, 7, 37);
	EXPECT(is_quiet(DATA), 1);
}

/* All of a long request at once, without a grant; the response is forgotten with those of others. */
static void unasked(struct rpc *r)
{
	struct rpc ack = *r;
	struct packet k;
	uint32_t i;

	for (i = 0; i < r->len; i += SEG)
		send_data(r, i, r->len, false);
	for (i = 0; i < 10; i++)
		if (!expect_packet(&k, DATA, r->id ^ 1, 0))
			return;
	check_data(&k, r->len, 9 * SEG, false);
	while (next(&k, WAIT_MS) && k.p[11] != NEED_ACK)
		;
	ack.id += 2;				/* one that it does not know */
	begin(&k, ACK, ack.id, r->sport, r->dport);
	put(&k, 28, 2, 0xffff);			/* five at most */
	for (i = 0; i < 5; i++) {
		put(&k, 30 + 10 * i, 8, i == 4 ? r->id : ack.id + 2 * i);
		put(&k, 38 + 10 * i, 2, SERVER_PORT);
	}
	k.len = 80;
	transmit(&k);
	EXPECT(is_quiet(NEED_ACK), 1);
}

/* Three packets that come as one. */
static void woven(struct rpc *r)
{
	send_woven(r, 3);
	take_response(r, false);
	send_simple(r, ACK);
}

/* What it does not know, and what it does not take. */
static void unknown(struct rpc *r)
{
	struct packet k;

	send_resend(r, 0, 0xffffffff, 7, 37);
	EXPECT(expect_packet(&k, UNKNOWN, r->id ^ 1, 28), 1);
	send_simple(r, FREEZE);
	send_simple(r, 0x20);			/* short for its type */
	send_simple(r, 0x7f);
	send_simple(r, BUSY);
	EXPECT(is_quiet(DATA), 1);
}

static void as_client(void)
{
	struct rpc r = { .id = 2, .sport = OUR_PORT, .dport = SERVER_PORT, .len = 100 };

	short_request(&r);
	r.id += 2, r.len = 10000;
	lost_packet(&r);
	r.id += 2, r.len = 100000;
	long_request(&r);
	r.id += 2, r.len = 3000;
	words(&r);
	r.id += 2;
	woven(&r);
	r.id += 2, r.len = 500000;
	unasked(&r);
	r.id += 20;
	unknown(&r);
}

/* ---------------------------------------------------------------- we are the server */

/* The first packet of a request; its RPC, as we know it, but for what it owes. */
static bool take_request(struct packet *k, struct rpc *r)
{
	do {
		if (!next(k, WAIT_MS)) {
			EXPECT(0, 1);
			return false;
		}
		check_common(k);
	} while (k->p[11] != DATA);
	memcpy(message, k->p + 56, k->len - 56);
	r->id = get64(k, 20) ^ 1;
	r->sport = get(k, 2, 2);
	r->dport = get(k, 0, 2);
	r->len = get(k, 28, 4);
	EXPECT(r->id & 1, 1);
	EXPECT(r->dport >= 0x8000, 1);
	return true;
}

static void take_rest(struct rpc *r)
{
	struct packet k;
	uint32_t offset;

	for (offset = SEG; offset < r->len; offset += SEG)
		if (expect_packet(&k, DATA, r->id ^ 1, 0))
			memcpy(message + offset, k.p + 56, k.len - 56);
}

static void send_cutoffs(const struct rpc *r, uint16_t version)
{
	static const uint32_t cutoff[] = { INT32_MAX, 0, 1000000, 9000, 8999, 300, 200, 100 };
	struct packet k;
	int i;

	begin(&k, CUTOFFS, r->id, r->sport, r->dport);
	for (i = 0; i < 8; i++)
		put(&k, 28 + 4 * i, 4, cutoff[i]);
	put(&k, 60, 2, version);
	k.len = 62;
	transmit(&k);
}

/* They ask, since we are slow, and hear that we are at work. */
static void slow_answer(struct rpc *r)
{
	struct packet k;
	uint32_t offset;

	EXPECT(expect_packet(&k, RESEND, r->id ^ 1, 37), 1);
	EXPECT(get(&k, 28, 4), 0);
	EXPECT(get(&k, 32, 4), 0xffffffff);
	EXPECT(k.p[36], 7);
	send_simple(r, BUSY);
	send_simple(r, NEED_ACK);
	EXPECT(expect_packet(&k, BUSY, r->id ^ 1, 28), 1);
	for (offset = 0; offset < r->len; offset += SEG)
		send_data(r, offset, r->len, false);
}

/* We have forgotten the request, and get it again: all of it, at the priority that it began with. */
static void forgotten(struct rpc *r)
{
	struct packet k;
	uint32_t offset;

	EXPECT(expect_packet(&k, RESEND, r->id ^ 1, 37), 1);
	send_simple(r, UNKNOWN);
	for (offset = 0; offset < r->len; offset += SEG) {
		if (!expect_packet(&k, DATA, r->id ^ 1, 0))
			return;
		check_data(&k, r->len, offset, true);
		EXPECT(k.tos, 3 << 5);
	}
	for (offset = 0; offset < r->len; offset += SEG)
		send_data(r, offset, r->len, false);
}

/* Little of the response goes unasked; they grant the rest. */
static void granted_answer(struct rpc *r)
{
	uint32_t sent = 0, granted = 2 * SEG;
	struct packet k;

	while (sent < r->len) {
		for (; sent < granted && sent < r->len; sent += SEG)
			send_data(r, sent, granted, false);
		while (sent < r->len && granted <= sent) {
			if (!expect_packet(&k, GRANT, r->id ^ 1, 34))
				return;
			granted = get(&k, 28, 4);
			EXPECT(granted > sent && granted <= r->len, 1);
		}
	}
}

/* Three requests of 9000 bytes, which are sent back. */
static void as_server(void)
{
	struct rpc r = { 0 };
	uint64_t before = 0;
	struct packet k;
	int i;

	for (i = 0; i < 3 && take_request(&k, &r); i++) {
		EXPECT(get64(&k, 36) == before, 1);
		EXPECT(get(&k, 44, 2), before ? r.sport : 0);
		EXPECT(get(&k, 46, 2), i ? 77 : 0);
		/* What they hold of ours says 3 for that length; before that, 5 of 0 to 6 and 7. */
		EXPECT(k.tos, i ? 3 << 5 : 5 << 5);
		take_rest(&r);
		if (!i)
			send_cutoffs(&r, 77);
		if (i == 1)
			forgotten(&r);
		else if (i == 2)
			granted_answer(&r);
		else
			slow_answer(&r);
		before = r.id ^ 1;
	}
	usleep(QUIET_MS * 1000);		/* they take the response */
	while (next(&k, QUIET_MS))
		;
	send_simple(&r, NEED_ACK);
	EXPECT(expect_packet(&k, ACK, r.id ^ 1, 80), 1);
	EXPECT(get(&k, 28, 2), 1);		/* the only one, which the header names too */
	EXPECT(get64(&k, 30) == before && get(&k, 38, 2) == r.sport, 1);
}

/* ---------------------------------------------------------------- */

static void open_device(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	struct ifreq ifr = { 0 };
	int room = 4 << 20, on = 1;

	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
	at.sll_ifindex = if_nametoindex(name);
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) || ioctl(fd, SIOCGIFHWADDR, &ifr)) {
		perror("other-homa: device");
		exit(T_FAIL);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	memcpy(our_mac, ifr.ifr_hwaddr.sa_data, 6);
}

int main(int argc, char **argv)
{
	uint32_t i;

	if (argc != 4 || (strcmp(argv[3], "client") && strcmp(argv[3], "server")) ||
	    sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &their_mac[0], &their_mac[1],
		   &their_mac[2], &their_mac[3], &their_mac[4], &their_mac[5]) != 6) {
		fputs("usage: other-homa DEVICE MAC client|server\n"
		      "10.0.0.2 for 10.0.0.1, whose MAC it is, on a device with no address and no offloads\n"
		      "there. client: sends requests to an echo at port 4000; server: answers three of\n"
		      "9000 bytes.\n", stderr);
		return 2;
	}
	for (i = 0; i < sizeof(message); i++)
		message[i] = i * 0x9e3779b1u >> 11;
	open_device(argv[1]);
	puts("ready");
	fflush(stdout);
	if (!strcmp(argv[3], "client"))
		as_client();
	else
		as_server();
	return bad ? T_FAIL : T_PASS;
}
