/* SPDX-License-Identifier: GPL-2.0 */
/*
 * timer.h - what happens when a peer is silent.
 */
#ifndef P4HOMA_TIMER_H
#define P4HOMA_TIMER_H

#include <linux/types.h>

struct homa_rpc;

/* rpc->lock is held in all of these. */
void homa_timer_init(struct homa_rpc *rpc);
void homa_timer_start(struct homa_rpc *rpc);	/* we now wait for the peer */
void homa_timer_stop(struct homa_rpc *rpc);
void homa_timer_alive(struct homa_rpc *rpc);	/* the peer is there */
void homa_timer_progress(struct homa_rpc *rpc);	/* and sent something that we waited for */

enum homa_timer_do {
	HOMA_TIMER_OFF,		/* we wait for nobody */
	HOMA_TIMER_WAIT,
	HOMA_TIMER_ASK,		/* RESEND */
	HOMA_TIMER_NEED_ACK,
	HOMA_TIMER_GIVE_UP,
};

enum homa_timer_wait {
	HOMA_WAIT_NOTHING,
	HOMA_WAIT_DATA,		/* the peer owes us bytes */
	HOMA_WAIT_ACK,		/* our response is sent: the client should acknowledge it */
	HOMA_WAIT_GRANT,	/* our response is not fully granted: a long wait may be meant */
};

struct homa_timer_view {
	enum homa_timer_wait wait;
	u32 silent_ms;		/* since the peer was heard */
	u32 asked_ms;		/* since we asked, if nr_asked */
	u32 nr_asked;
	u32 patience;		/* homa_peer_patience() */
};

struct homa_timer_conf {
	u32 resend_ticks, resend_interval, request_ack_ticks, timeout_ticks;	/* ms */
};

/* Pure. *delay_ms: until to look again, for WAIT. */
enum homa_timer_do homa_timer_decide(const struct homa_timer_view *v,
				     const struct homa_timer_conf *c, u32 *delay_ms);

#endif /* P4HOMA_TIMER_H */
