/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log_record.h - the bytes of a node's log; doc/log.md says what each record is for.
 *
 * A log is a row of segments, each a file that begins with an OPEN record. Numbers are little-endian,
 * a record's length is a multiple of 8 and its bytes beyond the last field are 0. Record n of a
 * segment has seq = segment << 32 | n, so that no other bytes are ever taken for it.
 */
#ifndef P4A_LOG_RECORD_H
#define P4A_LOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p4alloc.h"

typedef uint16_t p4a_le16;		/* read and written with le16toh() and htole16() */
typedef uint32_t p4a_le32;
typedef uint64_t p4a_le64;

#define P4A_LOG_MAGIC		"p4alog\r\n"	/* without its NUL */
#define P4A_LOG_VERSION		2
#define P4A_LOG_VERSION_DRAIN_LAST 1	/* up to this one drains come after END, and it is all the same
					 * to who begins a segment what becomes of the one before */
#define P4A_LOG_RECORD_MAX	176		/* bytes; an INTENT with 8 operations has 168 */
#define P4A_LOG_SEGMENT_SHIFT	32

enum p4a_log_type {
	P4A_LOG_OPEN = 1,		/* whose log this is */
	P4A_LOG_GRANT = 2,		/* a batch has its blocks */
	P4A_LOG_INTENT = 3,		/* a transaction is about to be sent */
	P4A_LOG_RESULT = 4,		/* what became of it */
	P4A_LOG_CELLS = 5,		/* cells that a fill has written or a drain has read */
	P4A_LOG_END = 6,		/* no more of this batch, nor of one before, will come from this
					 * node, nor to it */
};

struct p4a_log_head {
	p4a_le64 check;			/* of all bytes of the record behind it: p4a_log_check() */
	p4a_le64 seq;
	p4a_le16 len;			/* of the record */
	uint8_t type;			/* enum p4a_log_type */
	uint8_t count;			/* of op[], value[] or cell[], 0 .. P4A_MAX_INSTRS */
	p4a_le32 arg;			/* by type */
};

struct p4a_log_open_rec {		/* arg: P4A_LOG_VERSION; the same in all versions */
	struct p4a_log_head head;
	char magic[8];
	p4a_le32 tenant;
	p4a_le16 node, nodes;
	p4a_le16 registers, blocks;	/* geometry of the switch; 0: not known */
	p4a_le32 life;			/* what its records outlive, see below; 0 in version 1 */
};

#define P4A_LOG_OUTLIVES_HOST	1u	/* P4A_LOG_HOST. Other bits: when the host was booted, no
					 * number in particular. All 0: not known, or not any more */

struct p4a_log_grant_rec {		/* arg: batch */
	struct p4a_log_head head;
	p4a_le64 epoch;
	p4a_le32 blocks;
	p4a_le32 reserved;
};

struct p4a_log_op {
	p4a_le64 key;
	p4a_le32 operand;
	uint8_t code;			/* enum p4a_op_code, | P4A_SECOND_PASS */
	uint8_t reg;
	p4a_le16 slot;			/* virtual */
};

struct p4a_log_intent_rec {		/* arg: 0 */
	struct p4a_log_head head;
	p4a_le64 epoch;
	p4a_le64 user;			/* of p4a_txn_submit() */
	struct p4a_log_op op[P4A_MAX_INSTRS];
};

struct p4a_log_result_rec {		/* arg: enum p4a_txn_status */
	struct p4a_log_head head;
	p4a_le64 intent;		/* seq of the INTENT */
	p4a_le64 serial;
	p4a_le32 err;			/* as in the completion */
	p4a_le32 value[P4A_MAX_INSTRS];	/* cell before each instruction */
};

struct p4a_log_cell {
	p4a_le64 key;
	p4a_le32 value;
	uint8_t reserved, reg;
	p4a_le16 slot;
};

enum p4a_log_cells { P4A_LOG_FILL = 1, P4A_LOG_DRAIN = 2 };

struct p4a_log_cells_rec {		/* arg: enum p4a_log_cells */
	struct p4a_log_head head;
	p4a_le64 epoch;
	p4a_le64 serial;
	struct p4a_log_cell cell[P4A_MAX_INSTRS];
};

struct p4a_log_end_rec {		/* arg: batch */
	struct p4a_log_head head;
};

_Static_assert(sizeof(struct p4a_log_head) == 24, "log layout");
_Static_assert(sizeof(struct p4a_log_open_rec) == 48, "log layout");
_Static_assert(sizeof(struct p4a_log_grant_rec) == 40, "log layout");
_Static_assert(sizeof(struct p4a_log_op) == 16, "log layout");
_Static_assert(sizeof(struct p4a_log_cell) == 16, "log layout");
_Static_assert(sizeof(struct p4a_log_intent_rec) == 168, "log layout");
_Static_assert(sizeof(struct p4a_log_cells_rec) == 168, "log layout");

union p4a_log_record {			/* one of any type, aligned */
	struct p4a_log_head head;
	struct p4a_log_open_rec open;
	struct p4a_log_grant_rec grant;
	struct p4a_log_intent_rec intent;
	struct p4a_log_result_rec result;
	struct p4a_log_cells_rec cells;
	struct p4a_log_end_rec end;
	uint8_t bytes[P4A_LOG_RECORD_MAX];
};

/* Writes the head of a record whose body is filled in, and pads it. Returns its length. */
uint32_t p4a_log_seal(union p4a_log_record *rec, enum p4a_log_type type, unsigned int count,
		      uint32_t arg, uint64_t seq);

/* len: a multiple of 8. Two inputs that differ in one 8-byte word never have the same check. */
uint64_t p4a_log_check(const void *data, size_t len);

struct p4a_log_reader {			/* of one segment; zeroed before p4a_log_reader_init() */
	const uint8_t *data;
	size_t len, at;
	uint32_t segment;
	uint64_t next;			/* seq that the next record must have */
	size_t damaged;			/* bytes skipped because records behind them are whole */
	size_t torn;			/* bytes at the end that are no record */
};

/*
 * 0 and the segment's OPEN record; 1 the segment has none yet: it was torn at its very beginning and
 * holds nothing; -EBADMSG it is not a log; -EPROTONOSUPPORT a log of another version.
 */
int p4a_log_reader_init(struct p4a_log_reader *r, const void *data, size_t len,
			struct p4a_log_open_rec *open);

/* Reads on, behind an OPEN that is damaged, what is left of this segment. */
void p4a_log_reader_resume(struct p4a_log_reader *r, uint32_t segment);

/* The next whole record, which is copied: true, or false at the end. */
bool p4a_log_reader_next(struct p4a_log_reader *r, union p4a_log_record *rec);

#endif
