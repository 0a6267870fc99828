// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "frame.h"
#include "p4wire.h"

#define ETHERNET	14u
#define IPV4		20u

static uint32_t be16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* Without options and not a fragment: the parser looks behind the IPv4 header. */
static int is_homa(const uint8_t *ip)
{
	return ip[0] == 0x45 && (be16(ip + 6) & ~0x4000u) == 0 && ip[9] == P4W_IPPROTO;
}

enum frame_fault frame_check(const uint8_t *frame, uint32_t length)
{
	const uint8_t *ip = frame + ETHERNET;
	uint32_t total;

	if (length < ETHERNET)
		return FRAME_RUNT;
	if (be16(frame + 12) != 0x0800)
		return FRAME_OK;
	if (length < ETHERNET + IPV4)
		return FRAME_RUNT;
	total = be16(ip + 2);
	if (total > length - ETHERNET)
		return FRAME_TRUNCATED;
	if (total < IPV4)
		return FRAME_RUNT;
	if (!is_homa(ip))
		return FRAME_OK;
	if (total < IPV4 + sizeof(struct p4w_common))
		return FRAME_RUNT;
	if (ip[IPV4 + __builtin_offsetof(struct p4w_common, type)] == P4W_TXN &&
	    total < IPV4 + sizeof(struct p4w_txn))
		return FRAME_RUNT;
	return FRAME_OK;
}
