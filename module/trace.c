// SPDX-License-Identifier: GPL-2.0
/* trace.c - makes the tracepoints of trace.h. */
#include <linux/string.h>
#include <net/ipv6.h>

#include "peer.h"

static inline void homa_trace_addr(u8 to[16], const struct homa_peer *peer)
{
	memcpy(to, &peer->addr, sizeof(peer->addr));
}

#define CREATE_TRACE_POINTS
#include "trace.h"
