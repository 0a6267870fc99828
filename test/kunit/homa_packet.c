// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What homa_check_packet() lets through and what it makes of it, a row a packet.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../../module/packet.c"

#define OK	HOMA_NR_COUNTERS	/* no reason to drop */

union any {
	struct p4w_common common;
	struct p4w_data data;
	struct p4w_grant grant;
	struct p4w_resend resend;
	struct p4w_cutoffs cutoffs;
	struct p4w_ack ack;
	u8 bytes[256];
};

static void fill(union any *p, u8 type)
{
	memset(p, 0, sizeof(*p));
	homa_fill_common(&p->common, type, 99, 40000, 0x1234);
}

static enum homa_counter check(const union any *p, u32 len, struct homa_pkt *pkt)
{
	enum homa_counter why;

	return homa_check_packet(p, len, pkt, &why) ? OK : why;
}

/* Each byte holds its offset, so a field's value says where it is. */
static void layout(struct kunit *test)
{
	union any p;
	int i;

	for (i = 0; i < sizeof(p); i++)
		p.bytes[i] = i;
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.common.sport), 0x0001);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.common.dport), 0x0203);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.common.sequence), 0x04050607);
	KUNIT_EXPECT_EQ(test, p.common.type, 11);
	KUNIT_EXPECT_EQ(test, p.common.doff, 12);
	KUNIT_EXPECT_EQ(test, p.common.flags, 13);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.common.checksum), 0x1011);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.common.urgent), 0x1213);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(p.common.sender_id), 0x1415161718191a1bull);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.data.message_length), 0x1c1d1e1f);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.data.incoming), 0x20212223);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(p.data.ack.client_id), 0x2425262728292a2bull);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.data.ack.server_port), 0x2c2d);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.data.cutoff_version), 0x2e2f);
	KUNIT_EXPECT_EQ(test, p.data.retransmit, 48);
	KUNIT_EXPECT_EQ(test, p.data.tenant[2], 51);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.data.offset), 0x34353637);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.grant.offset), 0x1c1d1e1f);
	KUNIT_EXPECT_EQ(test, p.grant.priority, 32);
	KUNIT_EXPECT_EQ(test, p.grant.resend_all, 33);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.resend.offset), 0x1c1d1e1f);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.resend.length), 0x20212223);
	KUNIT_EXPECT_EQ(test, p.resend.priority, 36);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.cutoffs.cutoffs[0]), 0x1c1d1e1f);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(p.cutoffs.cutoffs[7]), 0x38393a3b);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.cutoffs.version), 0x3c3d);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.ack.num_acks), 0x1c1d);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(p.ack.acks[0].client_id), 0x1e1f202122232425ull);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.ack.acks[0].server_port), 0x2627);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(p.ack.acks[4].client_id), 0x464748494a4b4c4dull);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(p.ack.acks[4].server_port), 0x4e4f);
}

/* What we send says 14 words before data, where a card repeats them, and 5 elsewhere. */
static void filled_in(struct kunit *test)
{
	static const u8 want[P4W_COMMON_LEN] = {
		0x00, 0x63, 0x9c, 0x40, 0, 0, 0, 0, 0, 0, 0, P4W_BUSY, 0x50, 0x06, 0, 0,
		0, 0, 0xb9, 0x7d, 0, 0, 0, 0, 0, 0, 0x12, 0x34,
	};
	union any p;

	fill(&p, P4W_BUSY);
	KUNIT_EXPECT_EQ(test, memcmp(p.bytes, want, sizeof(want)), 0);
	fill(&p, P4W_DATA);
	KUNIT_EXPECT_EQ(test, p.bytes[11], 0x10);
	KUNIT_EXPECT_EQ(test, p.bytes[12], 0xe0);
}

static void lengths(struct kunit *test)
{
	static const struct {
		u8 type;
		u32 min;
	} t[] = {
		{ P4W_GRANT, 33 }, { P4W_RESEND, 36 }, { P4W_RPC_UNKNOWN, 28 }, { P4W_BUSY, 28 },
		{ P4W_CUTOFFS, 62 }, { P4W_FREEZE, 28 }, { P4W_NEED_ACK, 28 }, { P4W_ACK, 80 },
		{ P4W_TXN, 168 }, { P4W_TXN_REPLY, 168 },
	};
	struct homa_pkt pkt;
	union any p;
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		fill(&p, t[i].type);
		KUNIT_EXPECT_EQ_MSG(test, check(&p, t[i].min, &pkt), OK, "type %x", t[i].type);
		KUNIT_EXPECT_EQ_MSG(test, check(&p, t[i].min - 1, &pkt), HOMA_short_packets,
				    "type %x", t[i].type);
		KUNIT_EXPECT_EQ_MSG(test, check(&p, 200, &pkt), OK, "type %x", t[i].type);
	}
	fill(&p, P4W_DATA);
	KUNIT_EXPECT_EQ(test, check(&p, 55, &pkt), HOMA_short_packets);
	for (i = 0; i < 28; i++)
		KUNIT_EXPECT_EQ(test, check(&p, i, &pkt), HOMA_short_packets);
}

static void types(struct kunit *test)
{
	struct homa_pkt pkt;
	union any p;
	int type;

	for (type = 0; type < 256; type++) {
		bool known = (type >= 0x10 && type <= 0x18) || type == 0x20 || type == 0x21;

		fill(&p, type);
		p.data.message_length = htonl(200);
		KUNIT_EXPECT_EQ_MSG(test, check(&p, 200, &pkt), known ? OK : HOMA_unknown_packet_types,
				    "type %x", type);
	}
}

static void header(struct kunit *test)
{
	struct homa_pkt pkt;
	union any p;

	fill(&p, P4W_BUSY);
	KUNIT_EXPECT_EQ(test, check(&p, 28, &pkt), OK);
	KUNIT_EXPECT_EQ(test, pkt.sport, 99);
	KUNIT_EXPECT_EQ(test, pkt.dport, 40000);
	KUNIT_EXPECT_EQ(test, pkt.id, 0x1235);	/* the sender is the client, we the server */
	KUNIT_EXPECT_EQ(test, p.common.flags, 6);
	KUNIT_EXPECT_EQ(test, p.common.urgent, htons(0xb97d));
	p.common.sport = 0;
	KUNIT_EXPECT_EQ(test, check(&p, 28, &pkt), HOMA_drop_range);
	fill(&p, P4W_BUSY);
	p.common.dport = 0;
	KUNIT_EXPECT_EQ(test, check(&p, 28, &pkt), HOMA_drop_range);
	fill(&p, P4W_BUSY);
	p.common.sender_id = 0;
	KUNIT_EXPECT_EQ(test, check(&p, 28, &pkt), HOMA_drop_range);
	p.common.sender_id = cpu_to_be64(1);
	KUNIT_EXPECT_EQ(test, check(&p, 28, &pkt), HOMA_drop_range);
}

static void data(struct kunit *test)
{
	static const struct {
		u32 msg_len, offset, sequence, len;
		u32 want_offset;
		enum homa_counter want;
	} t[] = {
		{ 100, 0, 0, 100, 0, OK },
		{ 1, 0, 0, 1, 0, OK },
		{ 1000000, 999999, 0, 1, 999999, OK },
		{ 1000000, 0xffffffff, 999900, 100, 999900, OK },	/* offset in sequence */
		{ 1000000, 5, 999900, 100, 5, OK },			/* not in sequence */
		{ 0, 0, 0, 1, 0, HOMA_drop_range },
		{ 1000001, 0, 0, 100, 0, HOMA_drop_range },
		{ 0xffffffff, 0, 0, 100, 0, HOMA_drop_range },
		{ 100, 0, 0, 101, 0, HOMA_drop_range },
		{ 100, 0, 0, 0, 0, HOMA_drop_range },			/* no bytes */
		{ 100, 1, 0, 100, 0, HOMA_drop_range },
		{ 100, 100, 0, 1, 0, HOMA_drop_range },
		{ 100, 0xfffffffe, 0, 2, 0, HOMA_drop_range },		/* offset + len wraps */
		{ 100, 0xffffffff, 0xffffffff, 1, 0, HOMA_drop_range },
	};
	struct homa_pkt pkt;
	union any p;
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		fill(&p, P4W_DATA);
		p.data.message_length = htonl(t[i].msg_len);
		p.data.offset = htonl(t[i].offset);
		p.data.common.sequence = htonl(t[i].sequence);
		p.data.incoming = htonl(0xffffffff);
		KUNIT_EXPECT_EQ_MSG(test, check(&p, 56 + t[i].len, &pkt), t[i].want, "row %d", i);
		if (t[i].want != OK)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, pkt.data.offset, t[i].want_offset, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, pkt.data.len, t[i].len, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, pkt.data.incoming, t[i].msg_len, "row %d", i);
	}
}

static void data_fields(struct kunit *test)
{
	struct homa_pkt pkt;
	union any p;

	fill(&p, P4W_DATA);
	p.data.message_length = htonl(9);
	p.data.tenant[0] = 0x12;
	p.data.tenant[1] = 0x34;
	p.data.tenant[2] = 0x56;
	p.data.retransmit = 1;
	p.data.ack.client_id = cpu_to_be64(0x4444);
	p.data.ack.server_port = htons(77);
	KUNIT_ASSERT_EQ(test, check(&p, 65, &pkt), OK);
	KUNIT_EXPECT_EQ(test, p.bytes[49], 0x12);
	KUNIT_EXPECT_EQ(test, pkt.data.tenant, 0x123456);
	KUNIT_EXPECT_TRUE(test, pkt.data.again);
	KUNIT_EXPECT_EQ(test, pkt.data.ack.id, 0x4445);
	KUNIT_EXPECT_EQ(test, pkt.data.ack.port, 77);
	p.data.ack.client_id = cpu_to_be64(0x4445);	/* no client has odd ids */
	KUNIT_ASSERT_EQ(test, check(&p, 65, &pkt), OK);
	KUNIT_EXPECT_EQ(test, pkt.data.ack.id, 0);
}

static void grant(struct kunit *test)
{
	struct homa_pkt pkt;
	union any p;

	fill(&p, P4W_GRANT);
	p.grant.offset = htonl(0xffffffff);
	p.grant.priority = 7;
	p.grant.resend_all = 1;
	KUNIT_ASSERT_EQ(test, check(&p, 34, &pkt), OK);
	KUNIT_EXPECT_EQ(test, pkt.grant.offset, 1000000);
	KUNIT_EXPECT_TRUE(test, pkt.grant.resend);
	KUNIT_ASSERT_EQ(test, check(&p, 33, &pkt), OK);
	KUNIT_EXPECT_FALSE(test, pkt.grant.resend);	/* the byte is not in the packet */
	p.grant.priority = 8;
	KUNIT_EXPECT_EQ(test, check(&p, 34, &pkt), HOMA_drop_range);
}

static void resend(struct kunit *test)
{
	static const struct {
		u32 offset, length;
		u8 priority;
		u32 len, end;
		enum homa_counter want;
	} t[] = {
		{ 0, 1, 0, 37, 1, OK },
		{ 1000000, 1000000, 7, 37, 2000000, OK },
		{ 10, 20, 9, 36, 30, OK },			/* priority is not in the packet */
		{ 10, 20, 8, 37, 0, HOMA_drop_range },
		{ 1000001, 1, 0, 37, 0, HOMA_drop_range },
		{ 0, 1000001, 0, 37, 0, HOMA_drop_range },
		{ 0xffffffff, 2, 0, 37, 0, HOMA_drop_range },
		{ 0, 0xfffffffe, 0, 37, 0, HOMA_drop_range },
	};
	struct homa_pkt pkt;
	union any p;
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		fill(&p, P4W_RESEND);
		p.resend.offset = htonl(t[i].offset);
		p.resend.length = htonl(t[i].length);
		p.resend.priority = t[i].priority;
		KUNIT_EXPECT_EQ_MSG(test, check(&p, t[i].len, &pkt), t[i].want, "row %d", i);
		if (t[i].want != OK)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, pkt.resend.end, t[i].end, "row %d", i);
		KUNIT_EXPECT_FALSE_MSG(test, pkt.resend.all, "row %d", i);
		KUNIT_EXPECT_LT_MSG(test, pkt.priority, 8, "row %d", i);
	}
	p.resend.offset = 0;
	p.resend.length = htonl(0xffffffff);
	KUNIT_ASSERT_EQ(test, check(&p, 37, &pkt), OK);
	KUNIT_EXPECT_TRUE(test, pkt.resend.all);
}

static void acks(struct kunit *test)
{
	struct homa_pkt pkt;
	union any p;
	int i;

	fill(&p, P4W_ACK);
	p.ack.num_acks = htons(60000);
	for (i = 0; i < 5; i++)
		p.ack.acks[i].client_id = cpu_to_be64(100 + i);
	KUNIT_ASSERT_EQ(test, check(&p, 80, &pkt), OK);
	KUNIT_EXPECT_EQ(test, pkt.ack.nr, 5);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, pkt.ack.ack[i].id, i % 2 ? 0 : 101 + i);
}

static void cutoffs(struct kunit *test)
{
	struct homa_pkt pkt;
	union any p;
	int i;

	fill(&p, P4W_CUTOFFS);
	for (i = 0; i < 8; i++)
		p.cutoffs.cutoffs[i] = htonl(0x7fffffff - i);
	p.cutoffs.version = htons(0xffff);
	KUNIT_ASSERT_EQ(test, check(&p, 62, &pkt), OK);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, pkt.cutoffs.cutoff[i], 0x7fffffff - i);
	KUNIT_EXPECT_EQ(test, pkt.cutoffs.version, 0xffff);
	p.cutoffs.cutoffs[7] = htonl(0x80000000);
	KUNIT_EXPECT_EQ(test, check(&p, 62, &pkt), HOMA_drop_range);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(layout),
	KUNIT_CASE(filled_in),
	KUNIT_CASE(lengths),
	KUNIT_CASE(types),
	KUNIT_CASE(header),
	KUNIT_CASE(data),
	KUNIT_CASE(data_fields),
	KUNIT_CASE(grant),
	KUNIT_CASE(resend),
	KUNIT_CASE(acks),
	KUNIT_CASE(cutoffs),
	{}
};

static struct kunit_suite suite = {
	.name = "homa_packet",
	.test_cases = cases,
};
kunit_test_suites(&suite);
MODULE_LICENSE("GPL");
