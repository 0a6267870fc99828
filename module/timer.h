/* SPDX-License-Identifier: GPL-2.0 */
/*
 * timer.h - what happens when a peer is silent.
 */
#ifndef P4HOMA_TIMER_H
#define P4HOMA_TIMER_H

#include <linux/types.h>

struct homa_rpc;
struct homa_rtt_conf;
struct sk_buff_head;

/* Of one RPC; rpc->lock. */
struct homa_silence {
	u64 since;		/* ns: we began to wait, or progress was made, or we asked */
	u64 mute_since;		/* ns: the first question in a row that was not answered */
	u64 gap_due;		/* ns: to ask for what later bytes have overtaken; 0: nothing */
	u64 granted_ns;		/* of the first GRANT; 0: none, or bytes have come that needed it */
	u8 nr_mute;		/* questions in a row without an answer */
	u8 nr_calm;		/* answers in a row that said: I live, wait */
	u8 nr_crowded;		/* times that other RPCs of the peer took our turn to ask */
};

/* rpc->lock is held in all of these. */
void homa_timer_start(struct homa_rpc *rpc);	/* we now wait for the peer */
void homa_timer_granted(struct homa_rpc *rpc);	/* a GRANT goes out, so the peer owes us bytes */
void homa_timer_stop(struct homa_rpc *rpc);
void homa_timer_alive(struct homa_rpc *rpc);	/* the peer is there */
void homa_timer_progress(struct homa_rpc *rpc);	/* and sent something that we waited for */
void homa_timer_repeated(struct homa_rpc *rpc);	/* a missing piece is here that we asked for */
void homa_timer_lost(struct homa_rpc *rpc);	/* is there, but has nothing of what we sent */
/* So says the network. It may pass, so the peer is asked; that word is the reason if it stays silent. */
void homa_timer_unreachable(struct homa_rpc *rpc);
/* The peer has sent all that it has: questions for what is missing go to `queue`. */
void homa_timer_all_sent(struct homa_rpc *rpc, struct sk_buff_head *queue);
void homa_timer_give_up(struct homa_rpc *rpc);
bool homa_timer_waits(const struct homa_rpc *rpc);

/* The time of a wait has come. No lock is held, but the caller has a reference. */
void homa_timer_due(struct homa_rpc *rpc);

/* The knobs, for rtt.h. */
struct homa_rtt_conf homa_timer_rtt_conf(const struct homa_rpc *rpc);

enum homa_timer_do {
	HOMA_TIMER_OFF,		/* we wait for nobody */
	HOMA_TIMER_WAIT,
	HOMA_TIMER_PASS,	/* the peer lives, as others have heard: no question this time */
	HOMA_TIMER_ASK,		/* RESEND */
	HOMA_TIMER_NEED_ACK,
	HOMA_TIMER_GIVE_UP,	/* this RPC */
	HOMA_TIMER_DEAD,	/* the peer, and all its RPCs */
};

enum homa_timer_wait {
	HOMA_WAIT_NOTHING,
	HOMA_WAIT_ANSWER,	/* no byte of the response has come */
	HOMA_WAIT_DATA,		/* the peer owes us more bytes */
	HOMA_WAIT_ACK,		/* our response is sent: the client should acknowledge it */
	HOMA_WAIT_GRANT,	/* our response is not fully granted: a long wait may be meant */
};

struct homa_timer_view {
	enum homa_timer_wait wait;
	u64 first_ns;		/* the first pause */
	u64 again_ns;		/* the second; it doubles from then on */
	u64 most_ns;		/* while there is no answer */
	u64 timeout_ns;
	u64 silent_ns;		/* since silence.since */
	u64 mute_ns;		/* since silence.mute_since, if nr_mute */
	u64 peer_ns;		/* since the peer was heard, by any RPC */
	u32 nr_mute;
	u32 nr_calm;
	u32 nr_crowded;
	bool is_crowded;	/* another RPC has just asked this peer whether it lives */
};

#define HOMA_TIMER_CALM_NS	1000000000ull	/* longest pause, while the peer answers */
#define HOMA_TIMER_CROWD_NS	1000000ull	/* between such questions to one peer */
#define HOMA_TIMER_CROWDED_MAX	3		/* doublings of the longest pause in a crowd */

/* Pure. *delay_ns: until to look again, for WAIT; since when it was due, for ASK and NEED_ACK. */
enum homa_timer_do homa_timer_decide(const struct homa_timer_view *v, u64 *delay_ns);

#endif /* P4HOMA_TIMER_H */
