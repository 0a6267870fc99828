/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.h - one node's log on disk: a buffer, the segment it is written to, older segments. */
#ifndef P4A_LOG_H
#define P4A_LOG_H

#include "error.h"
#include "log_record.h"

struct p4a_log_name {			/* of a segment's file: t7.n1.0000002a.p4log */
	uint32_t tenant;
	uint32_t node;
	uint32_t segment;
};

struct p4a_log {
	int dir, fd;
	struct p4a_log_name name;	/* of the segment written to */
	uint16_t nodes;
	struct p4a_geometry geo;
	uint32_t segment_bytes;
	bool to_disk;			/* P4A_LOG_HOST */
	uint32_t life;			/* for its OPEN */
	bool heir;			/* whatever this node had begun before is in the log, and ended */

	uint8_t *buf;
	uint32_t used;			/* bytes of buf */
	uint64_t size;			/* bytes of the file */
	uint64_t next;			/* seq of the next record */
	uint64_t written;		/* records below this seq are in the file */
	uint64_t syncing, synced;	/* and below these on their way to the disk, and there */
	uint64_t wanted;		/* a fill or drain waits until those below are safe */
	uint32_t oldest;		/* segment that may still exist; batches begin in the last */

	uint32_t wait_first, wait_last;	/* slots whose record is not on the disk yet, by seq */
	uint32_t ending;		/* batch whose END waits for results; 0: none */
	int err;			/* why nothing is written any more, or 0 */
	bool mute;			/* and nobody may hear of what is not written */
	struct p4a_log_info info;
};

/*
 * Begins a new segment behind all that this node has in opts->dir. -EBUSY: whoever writes the last of
 * these is still there.
 */
int p4a_log_new(struct p4a_log **out, const struct p4a_log_options *opts,
		const struct p4a_options *self, const struct p4a_geometry *geo,
		struct p4a_error *err);
/* Writes what is in the buffer, and ends; NULL is allowed. The segments stay. */
void p4a_log_free(struct p4a_log *log);

/*
 * Where the next record may be built, until p4a_log_append(), which completes it and returns its seq.
 * Neither fails: after an error of the disk records go nowhere, and log->err says why.
 */
union p4a_log_record *p4a_log_room(struct p4a_log *log);
uint64_t p4a_log_append(struct p4a_log *log, union p4a_log_record *rec, enum p4a_log_type type,
			unsigned int count, uint32_t arg);

/* Nothing is written from here on, and no END: what is there may not be all. */
void p4a_log_fail(struct p4a_log *log, int err);

/* Gives the buffer to the file: 0, or log->err. */
int p4a_log_flush(struct p4a_log *log);

/* The same, and waits until the disk has it, if that is asked for. */
int p4a_log_sync(struct p4a_log *log);

/* At the start of a batch: another segment, if this one is large enough. */
void p4a_log_begin_batch(struct p4a_log *log);
/* All nodes have begun this batch: segments that end before it are removed. */
void p4a_log_trim(struct p4a_log *log);

/* log_file.c */

int p4a_log_write(int fd, const uint8_t *data, size_t len, uint64_t at);
/* All bytes of a file, which may grow meanwhile, to be freed; NULL and errno. */
uint8_t *p4a_log_read(int fd, size_t *len);
/* From here on nobody takes the file for whole. 0 or -errno: they may. */
int p4a_log_disown(int fd, const struct p4a_log_open_rec *open, uint32_t segment);

enum { P4A_LOG_IS_WHOLE, P4A_LOG_MAY_LACK, P4A_LOG_HOLDS_NOTHING };
/*
 * A file whose process is gone gets the END that it lacks, if it is whole. One of those, or -errno. One that
 * tells of no batch says nothing of whether those before it are whole.
 */
int p4a_log_end_left(int fd, uint32_t boot);

/* Whether a file's name is one of a segment. */
bool p4a_log_parse_name(const char *file, struct p4a_log_name *name);

#endif
