// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frames.c - writes a capture file with one packet of each kind, filled by p4wire.h, for the test of
 * the dissector. Values are such that a field read from a wrong place shows.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <p4wire.h>

#define CLIENT_ID	0x1122334455667788ull	/* even */
#define LINKTYPE_RAW	101			/* packets begin with their IP header */

static void put(const void *data, size_t len)
{
	fwrite(data, len, 1, stdout);
}

static void record(size_t len)
{
	static uint32_t us;
	const uint32_t head[4] = { 0, us += 1000, len, len };

	put(head, sizeof(head));
}

static void frame(const void *packet, size_t len)
{
	uint8_t ip[20] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, P4W_IPPROTO, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2 };

	ip[2] = (sizeof(ip) + len) >> 8;
	ip[3] = sizeof(ip) + len;
	record(sizeof(ip) + len);
	put(ip, sizeof(ip));
	put(packet, len);
}

static void frame6(const void *packet, size_t len)
{
	uint8_t ip[40] = { 0x60, 0, 0, 0, len >> 8, len, P4W_IPPROTO, 64, [8] = 0xfd, [23] = 1,
			   [24] = 0xfd, [39] = 2 };

	record(sizeof(ip) + len);
	put(ip, sizeof(ip));
	put(packet, len);
}

static struct p4w_common common(uint8_t type, uint64_t id)
{
	return (struct p4w_common){ .sport = htons(40000), .dport = htons(4000), .type = type,
				    .doff = 0xe0, .flags = P4W_HOMA_FLAGS,
				    .urgent = htons(P4W_HOMA_URGENT), .sender_id = htobe64(id) };
}

static void data_frames(void)
{
	struct { struct p4w_data d; uint8_t bytes[100]; } p = { .d = {
		.common = common(P4W_DATA, CLIENT_ID),
		.message_length = htonl(5000), .incoming = htonl(4321),
		.ack = { htobe64(0x5544332211002200ull), htons(4444) },
		.cutoff_version = htons(77), .retransmit = 1, .tenant = { 1, 2, 3 },
		.offset = htonl(1424) } };

	frame(&p, sizeof(p));
	p.d.offset = htonl(P4W_OFFSET_IN_SEQUENCE);
	p.d.common.sequence = htonl(2848);
	memset(&p.d.ack, 0, sizeof(p.d.ack));
	frame6(&p, sizeof(p));
	p.d.offset = htonl(4901);	/* one byte too far */
	frame(&p, sizeof(p));
}

static void control_frames(void)
{
	const struct p4w_grant g = { common(P4W_GRANT, CLIENT_ID | 1), htonl(60000), 3, 0 };
	const struct p4w_resend r = { common(P4W_RESEND, CLIENT_ID), htonl(1424), htonl(2848), 7 };
	const struct p4w_resend all = { common(P4W_RESEND, CLIENT_ID), 0, htonl(P4W_RESEND_ALL), 7 };
	struct p4w_cutoffs c = { .common = common(P4W_CUTOFFS, CLIENT_ID), .version = htons(9) };
	const struct p4w_ack a = { common(P4W_ACK, CLIENT_ID), htons(2),
				   { { htobe64(2), htons(11) }, { htobe64(4), htons(12) } } };
	const uint8_t simple[] = { P4W_RPC_UNKNOWN, P4W_BUSY, P4W_FREEZE, P4W_NEED_ACK };
	unsigned int i;

	frame(&g, sizeof(g));
	frame(&r, sizeof(r));
	frame(&all, P4W_RESEND_MIN);
	for (i = 0; i < P4W_PRIORITIES; i++)
		c.cutoffs[i] = htonl(1000 * (8 - i));
	frame(&c, sizeof(c));
	frame(&a, sizeof(a));
	for (i = 0; i < sizeof(simple); i++) {
		const struct p4w_common one = common(simple[i], CLIENT_ID | 1);

		frame(&one, sizeof(one));
	}
}

static void txn_frame(void)
{
	struct p4w_txn t = {
		.common = common(P4W_TXN_REPLY, CLIENT_ID | 1), .version = P4W_VERSION,
		.status = P4W_TXN_ABORT, .pass = P4W_PASS_RETRY, .retries = 5,
		.owner = htobe64(7ull << P4W_EPOCH_BITS | 123456789012ull), .flow = htonl(321),
		.seq = htonl(654), .lock_check = htonl(0xf0f0), .lock_acquire = htonl(0xf000),
		.home = htons(17), .port = htons(3), .sum = htonl(20), .serial = htobe64(98765432109876ull),
		.instr = { { 1, P4W_OP_ADD | P4W_OP_SOURCE, htons(64), htonl(10), htonl(20) },
			   { 2, P4W_OP_WRITE | P4W_OP_SECOND_PASS | P4W_OP_DEPENDENT, htons(65),
			     htonl(30), htonl(40) } },
	};

	frame(&t, sizeof(t));
}

static void message(const void *body, size_t len, uint16_t sport, uint16_t dport)
{
	struct { struct p4w_data d; uint8_t bytes[200]; } p = { .d = {
		.common = common(P4W_DATA, CLIENT_ID), .message_length = htonl(len),
		.incoming = htonl(len) } };

	p.d.common.sport = htons(sport);
	p.d.common.dport = htons(dport);
	memcpy(p.bytes, body, len);
	frame(&p, sizeof(p.d) + len);
}

static struct p4w_msg head(uint8_t type, uint16_t len, uint32_t code)
{
	return (struct p4w_msg){ P4W_VERSION, type, htons(len), htons(1), htons(4), htonl(55),
				 htonl(code) };
}

static void alloc_frames(void)
{
	const struct p4w_msg sync = head(P4W_SYNC, 16, P4W_PHASE_RAN);
	const struct { struct p4w_request r; __be16 hist[2]; } request = {
		{ head(P4W_REQUEST, 40, P4W_REQ_DONE), htonl(100), htonl(2000), htons(3), htons(9),
		  htonl(64), htons(2), htons(8) }, { htons(600), htons(300) } };
	const struct p4w_welcome welcome = { head(P4W_WELCOME, 40, 0), htons(20), htons(16), htons(64),
		htons(4), htonl(32), htonl(2000000), htonl(100000), htonl(12) };
	const struct p4w_reserved reserved = { head(P4W_RESERVED, 36, 0), htobe64(777), htonl(888),
		htonl(2), htons(5), P4W_WHY_TURN, 93 };
	const struct p4w_granted granted = { head(P4W_GRANTED, 72, 0), htobe64(4242), htonl(128),
		htonl(64), htonl(1500), htons(3), 0, { 0x83 } };
	const struct { struct p4w_escrow e; struct p4w_escrow_entry entry[1]; } escrow = {
		{ head(P4W_ESCROW, 40, 0), htonl(9), htonl(8), htonl(1) },
		{ { htonl(54), htons(130), 6, 0, htonl(31337) } } };
	const struct p4w_refused refused = { head(P4W_REFUSED, 112, P4W_REFUSED_RANGE), htonl(99),
		htonl(1), htonl(16), "want_blocks", "want_blocks is 99, but must be 1 .. 16" };
	const struct { struct p4w_lock_info m; struct p4w_lock_key key[2]; } lock_info = {
		{ head(P4W_LOCK_INFO, 44, 0), htons(2), 0 },
		{ { htobe64(71), htonl(5) }, { htobe64(72), htonl(6) } } };
	const struct { struct p4w_locks m; struct p4w_lock_bit key[2]; } locks = {
		{ head(P4W_LOCKS, 38, 0), htons(2), htons(32) },
		{ { htobe64(72), 0 }, { htobe64(71), 31 } } };
	const struct p4w_lock lock = { head(P4W_LOCK, 56, P4W_LOCK_SHARED), htobe64(0x1234), 0,
		htonl(5000), htonl(70), "row" };
	const struct p4w_locked locked = { head(P4W_LOCKED, 32, 0), htobe64(99), htonl(5000), 0 };

	message(&sync, sizeof(sync), 40000, P4W_ALLOC_PORT);
	message(&request, sizeof(request), 40000, P4W_ALLOC_PORT);
	message(&welcome, sizeof(welcome), P4W_ALLOC_PORT, 40000);
	message(&reserved, sizeof(reserved), P4W_ALLOC_PORT, 40000);
	message(&granted, sizeof(granted), P4W_ALLOC_PORT, 40000);
	message(&escrow, sizeof(escrow), P4W_ALLOC_PORT, 40000);
	message(&refused, sizeof(refused), P4W_ALLOC_PORT, 40000);
	message(&lock_info, sizeof(lock_info), 40000, P4W_ALLOC_PORT);
	message(&locks, sizeof(locks), P4W_ALLOC_PORT, 40000);
	message(&lock, sizeof(lock), 40000, P4W_ALLOC_PORT);
	message(&locked, sizeof(locked), P4W_ALLOC_PORT, 40000);
}

static void bad_frames(void)
{
	const struct p4w_grant cut = { .common = common(P4W_GRANT, CLIENT_ID) };
	const struct p4w_grant high = { common(P4W_GRANT, CLIENT_ID), htonl(1), 8, 0 };
	const struct p4w_common none = common(0x30, CLIENT_ID);

	frame(&cut, 30);
	frame(&cut, 20);
	frame(&high, sizeof(high));
	frame(&none, sizeof(none));
}

int main(void)
{
	const struct { uint32_t magic; uint16_t major, minor; uint32_t zone, digits, snap, link; } file = {
		0xa1b2c3d4, 2, 4, 0, 0, 65535, LINKTYPE_RAW };

	put(&file, sizeof(file));
	data_frames();
	control_frames();
	txn_frame();
	alloc_frames();
	bad_frames();
	return fflush(stdout) ? 1 : 0;
}
