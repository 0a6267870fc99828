// SPDX-License-Identifier: GPL-2.0
/*
 * packet.c - checks and translates packets. Pure: no lock, clock, allocation or socket.
 *
 * A handler may rely on what struct homa_pkt promises and never looks at the bytes again. Trailing
 * bytes are tolerated everywhere, older and newer layouts differ in them.
 */
#include <linux/string.h>
#include <linux/types.h>
#include <linux/unaligned.h>
#include <asm/byteorder.h>

#include "packet.h"

#define DOFF_DATA	(14 << 4)	/* header words that segmentation would repeat */
#define DOFF_CONTROL	(5 << 4)

/* Shortest packet of each type; 0: no such type. */
static u32 min_len(u8 type)
{
	switch (type) {
	case P4W_DATA:
		return sizeof(struct p4w_data);
	case P4W_GRANT:
		return P4W_GRANT_MIN;
	case P4W_RESEND:
		return P4W_RESEND_MIN;
	case P4W_CUTOFFS:
		return sizeof(struct p4w_cutoffs);
	case P4W_ACK:
		return sizeof(struct p4w_ack);
	case P4W_RPC_UNKNOWN:
	case P4W_BUSY:
	case P4W_FREEZE:
	case P4W_NEED_ACK:
		return sizeof(struct p4w_common);
	case P4W_TXN:
	case P4W_TXN_REPLY:
		return sizeof(struct p4w_txn);
	}
	return 0;
}

/* An entry that names no request of a client (0, or an odd id) acknowledges nothing. */
static struct homa_pkt_ack read_ack(const struct p4w_ack_entry *e)
{
	u64 id = be64_to_cpu(e->client_id);

	return (struct homa_pkt_ack){
		.id = id && !(id & 1) ? id ^ 1 : 0,
		.port = be16_to_cpu(e->server_port),
	};
}

static bool check_data(const struct p4w_data *d, u32 len, struct homa_pkt *pkt)
{
	u32 msg_len = be32_to_cpu(d->message_length);
	u32 offset = homa_data_offset(d);

	len -= sizeof(*d);
	if (!msg_len || msg_len > P4W_MSG_MAX || !len || len > msg_len || offset > msg_len - len)
		return false;
	pkt->data.msg_len = msg_len;
	pkt->data.offset = offset;
	pkt->data.len = len;
	pkt->data.incoming = min(be32_to_cpu(d->incoming), msg_len);
	pkt->data.tenant = get_unaligned_be24(d->tenant);
	pkt->data.cutoff_version = be16_to_cpu(d->cutoff_version);
	pkt->data.again = d->retransmit;
	pkt->data.ack = read_ack(&d->ack);
	return true;
}

static bool check_grant(const struct p4w_grant *g, u32 len, struct homa_pkt *pkt)
{
	pkt->grant.offset = min_t(u32, be32_to_cpu(g->offset), P4W_MSG_MAX);
	pkt->grant.resend = len >= sizeof(*g) && g->resend_all == 1;
	pkt->priority = g->priority;
	return g->priority < P4W_PRIORITIES;
}

static bool check_resend(const struct p4w_resend *r, u32 len, struct homa_pkt *pkt)
{
	u32 offset = be32_to_cpu(r->offset);
	u32 length = be32_to_cpu(r->length);

	pkt->priority = len >= sizeof(*r) ? r->priority : P4W_PRIORITIES - 1;
	pkt->resend.all = length == P4W_RESEND_ALL;
	if (pkt->priority >= P4W_PRIORITIES || offset > P4W_MSG_MAX ||
	    (!pkt->resend.all && length > P4W_MSG_MAX))
		return false;
	pkt->resend.offset = offset;
	pkt->resend.end = pkt->resend.all ? 0 : offset + length;
	return true;
}

static bool check_cutoffs(const struct p4w_cutoffs *c, struct homa_pkt *pkt)
{
	int i;

	for (i = 0; i < P4W_PRIORITIES; i++) {
		pkt->cutoffs.cutoff[i] = be32_to_cpu(c->cutoffs[i]);
		if (pkt->cutoffs.cutoff[i] > INT_MAX)
			return false;
	}
	pkt->cutoffs.version = be16_to_cpu(c->version);
	return true;
}

static bool check_ack(const struct p4w_ack *a, struct homa_pkt *pkt)
{
	u32 i;

	pkt->ack.nr = min_t(u32, be16_to_cpu(a->num_acks), P4W_ACKS_MAX);
	for (i = 0; i < pkt->ack.nr; i++)
		pkt->ack.ack[i] = read_ack(&a->acks[i]);
	return true;
}

bool homa_check_packet(const void *head, u32 len, struct homa_pkt *pkt, enum homa_counter *why)
{
	const struct p4w_common *c = head;
	bool ok = true;
	u32 least;

	*why = HOMA_short_packets;
	if (len < sizeof(*c))
		return false;
	least = min_len(c->type);
	if (!least)
		*why = HOMA_unknown_packet_types;
	if (!least || len < least)
		return false;

	*why = HOMA_drop_range;
	pkt->type = c->type;
	pkt->sport = be16_to_cpu(c->sport);
	pkt->dport = be16_to_cpu(c->dport);
	pkt->id = be64_to_cpu(c->sender_id) ^ 1;
	if (!pkt->sport || !pkt->dport || pkt->id < 2)
		return false;

	switch (pkt->type) {
	case P4W_DATA:
		ok = check_data(head, len, pkt);
		break;
	case P4W_GRANT:
		ok = check_grant(head, len, pkt);
		break;
	case P4W_RESEND:
		ok = check_resend(head, len, pkt);
		break;
	case P4W_CUTOFFS:
		ok = check_cutoffs(head, pkt);
		break;
	case P4W_ACK:
		ok = check_ack(head, pkt);
		break;
	}
	return ok;
}

void homa_fill_common(struct p4w_common *c, u8 type, u16 sport, u16 dport, u64 id)
{
	memset(c, 0, sizeof(*c));
	c->sport = cpu_to_be16(sport);
	c->dport = cpu_to_be16(dport);
	c->type = type;
	c->doff = type == P4W_DATA ? DOFF_DATA : DOFF_CONTROL;
	c->flags = P4W_HOMA_FLAGS;
	c->urgent = cpu_to_be16(P4W_HOMA_URGENT);
	c->sender_id = cpu_to_be64(id);
}
