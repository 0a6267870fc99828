/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib_fake.h - an allocator and a switch in memory, behind the verbs of io.h, with virtual time.
 *
 * By default everything is answered at once and well. `on_msg` and `on_txn` may decide otherwise for
 * one request: answer something else, an error, or nothing (which, if the library then waits for
 * ever, fails the test).
 */
#ifndef LIB_FAKE_H
#define LIB_FAKE_H

#include <sys/types.h>

#include "ctx.h"

#define FAKE_REGISTERS	4
#define FAKE_BLOCKS	8
#define FAKE_EVENTS	8192
#define FAKE_LOG	256

enum fake_verdict { FAKE_GOOD, FAKE_SILENT, FAKE_DONE };	/* DONE: the hook has answered */

struct fake {
	struct p4a_io io;
	struct p4a_ctx *ctx;
	unsigned int node, nodes;
	uint64_t now_us;

	enum fake_verdict (*on_msg)(struct fake *f, uint64_t cookie, const struct p4w_msg *m);
	enum fake_verdict (*on_txn)(struct fake *f, uint64_t cookie, const struct homa_txn *t);
	int hook;				/* for the hooks' own use */
	int reap_error;				/* the next reap fails with it */
	int hold_error;				/* likewise hold */
	int sync_error;				/* each sync ends with it */
	bool sync_late;				/* fake_sync() ends it */
	unsigned int nr_syncs;
	off_t synced;				/* bytes of the file that the last one covers */
	off_t syncing;

	uint32_t cell[FAKE_REGISTERS][FAKE_BLOCKS * 64];	/* by virtual slot */
	uint64_t serial, epoch, token;
	uint16_t grant_blocks;
	uint32_t grant_flows;
	bool reserve;				/* REQUEST is answered by RESERVED */

	char log[FAKE_LOG];			/* one letter a message or hold */
	unsigned int nr_txns, in_flight, most_in_flight;
	uint64_t sent_us[FAKE_LOG];		/* when each message was sent */
	unsigned int nr_msgs;
	struct p4w_request last_request;
	uint16_t last_hist[P4A_MAX_BLOCKS];
	struct p4w_lock last_lock;
	struct {
		struct p4w_lock_info m;
		struct p4w_lock_key key[P4W_LOCK_KEYS_MAX];
	} __attribute__((packed)) last_lock_info;

	struct {
		uint64_t cookie;
		int err;
		bool unsent;
		uint32_t len;
		uint8_t *data;
	} queue[FAKE_EVENTS];
	unsigned int first, last;
	uint8_t *handed_out[FAKE_EVENTS];	/* freed by the next reap */
	unsigned int nr_handed_out;
};

/* A context with depth 16 and a time-out of one second on a new fake. */
struct fake *fake_open(void);			/* of node 1 of 2 */
struct fake *fake_open_as(unsigned int node, unsigned int nodes);
void fake_close(struct fake *f);

/* The same with a log, after HELLO. */
struct fake *fake_open_logged(const struct p4a_layout *layout, const struct p4a_log_options *opts);
/* A batch of keys 0 .. keys - 1 with values from 100 on, left in kv[], up to where it may run. */
void fake_start_batch(struct fake *f, const struct p4a_demand *demand, struct p4a_kv *kv,
		      unsigned int keys);

/* Keys 0 .. keys - 1, each as often as the others. Not NULL; to be freed. */
struct p4a_layout *fake_layout(unsigned int keys);
unsigned int fake_state(struct p4a_ctx *ctx);	/* enum p4a_state */

void fake_answer(struct fake *f, uint64_t cookie, const void *data, uint32_t len);
void fake_error(struct fake *f, uint64_t cookie, int err, bool unsent);
void fake_refuse(struct fake *f, uint64_t cookie, enum p4w_refusal code, const char *field);
void fake_sync(struct fake *f);		/* the sync under way ends */
struct p4w_msg fake_head(enum p4w_msg_type type, uint32_t len, uint32_t batch);

#endif
