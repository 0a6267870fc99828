// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * log_record.c - writes and reads the records of a log in memory. Pure: no file, no clock.
 *
 * A reader believes a record only if its length fits its type, its seq is one that may follow, and its
 * check is right. What is no record is skipped word by word: if whole records follow, bytes were
 * damaged; if none does, it is the end that a dying host or process left half written.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "log_record.h"

#define ALIGN		8
#define HEAD		sizeof(struct p4a_log_head)
#define AFTER_CHECK	sizeof(p4a_le64)

/*
 * Each step is a bijection of the state for a given word and of the word for a given state: a change
 * in one word changes every state after it. A multiplication and a shift for 8 bytes; a CRC in C
 * takes ten times as many instructions.
 */
uint64_t p4a_log_check(const void *data, size_t len)
{
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ len, word;
	const uint8_t *p = data;

	for (; len; len -= ALIGN, p += ALIGN) {
		memcpy(&word, p, ALIGN);
		h = (h ^ le64toh(word)) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return h;
}

/* Bytes that the fields of a record take, or 0: there is no such record. */
static uint32_t bytes_of(unsigned int type, unsigned int count)
{
	if (count > P4A_MAX_INSTRS)
		return 0;
	switch (type) {
	case P4A_LOG_OPEN:
		return count ? 0 : sizeof(struct p4a_log_open_rec);
	case P4A_LOG_GRANT:
		return count ? 0 : sizeof(struct p4a_log_grant_rec);
	case P4A_LOG_INTENT:
		return offsetof(struct p4a_log_intent_rec, op) + count * sizeof(struct p4a_log_op);
	case P4A_LOG_RESULT:
		return offsetof(struct p4a_log_result_rec, value) + count * sizeof(p4a_le32);
	case P4A_LOG_CELLS:
		return offsetof(struct p4a_log_cells_rec, cell) +
		       count * sizeof(struct p4a_log_cell);
	case P4A_LOG_END:
		return count ? 0 : sizeof(struct p4a_log_end_rec);
	default:
		return 0;
	}
}

static uint32_t aligned(uint32_t len)
{
	return (len + ALIGN - 1) / ALIGN * ALIGN;
}

uint32_t p4a_log_seal(union p4a_log_record *rec, enum p4a_log_type type, unsigned int count,
		      uint32_t arg, uint64_t seq)
{
	uint32_t used = bytes_of(type, count), len = aligned(used);

	memset(rec->bytes + used, 0, len - used);
	rec->head.seq = htole64(seq);
	rec->head.len = htole16(len);
	rec->head.type = type;
	rec->head.count = count;
	rec->head.arg = htole32(arg);
	rec->head.check = htole64(p4a_log_check(rec->bytes + AFTER_CHECK, len - AFTER_CHECK));
	return len;
}

/* Copies the record at data + at, if there is a whole one: its length, else 0. */
static uint32_t read_at(const struct p4a_log_reader *r, size_t at, union p4a_log_record *rec)
{
	uint32_t len;

	if (r->len - at < HEAD)
		return 0;
	memcpy(&rec->head, r->data + at, HEAD);
	len = le16toh(rec->head.len);
	if (!len || len != aligned(bytes_of(rec->head.type, rec->head.count)) || len > r->len - at)
		return 0;
	memcpy(rec->bytes, r->data + at, len);
	if (le64toh(rec->head.check) != p4a_log_check(rec->bytes + AFTER_CHECK, len - AFTER_CHECK))
		return 0;
	return len;
}

/* A record of this segment, not of before: 8 bytes of damage hold no record. */
static bool may_follow(const struct p4a_log_reader *r, const union p4a_log_record *rec)
{
	uint64_t seq = le64toh(rec->head.seq);

	return seq >> P4A_LOG_SEGMENT_SHIFT == r->segment && seq >= r->next;
}

/* What a host leaves of a file whose size it wrote before it died, but not its bytes. */
static bool all_zero(const uint8_t *data, size_t len)
{
	return !data[0] && !memcmp(data, data + 1, len - 1);
}

int p4a_log_reader_init(struct p4a_log_reader *r, const void *data, size_t len,
			struct p4a_log_open_rec *open)
{
	union p4a_log_record rec;
	uint32_t n;

	*r = (struct p4a_log_reader) { .data = data, .len = len };
	n = read_at(r, 0, &rec);
	if (!n) {
		r->torn = len;
		r->at = len;
		return len < sizeof(*open) || all_zero(data, len) ? 1 : -EBADMSG;
	}
	if (rec.head.type != P4A_LOG_OPEN || memcmp(rec.open.magic, P4A_LOG_MAGIC, 8))
		return -EBADMSG;
	if (!rec.head.arg || le32toh(rec.head.arg) > P4A_LOG_VERSION)
		return -EPROTONOSUPPORT;
	r->at = n;
	r->segment = le64toh(rec.head.seq) >> P4A_LOG_SEGMENT_SHIFT;
	r->next = le64toh(rec.head.seq) + 1;
	*open = rec.open;
	return 0;
}

void p4a_log_reader_resume(struct p4a_log_reader *r, uint32_t segment)
{
	r->at = 0;
	r->torn = 0;
	r->segment = segment;
	r->next = (uint64_t)segment << P4A_LOG_SEGMENT_SHIFT;
}

bool p4a_log_reader_next(struct p4a_log_reader *r, union p4a_log_record *rec)
{
	size_t at;

	for (at = r->at; r->len - at >= HEAD; at += ALIGN) {
		uint32_t n = read_at(r, at, rec);

		if (!n || !may_follow(r, rec))
			continue;
		/* A record that is missing without a trace has been lost all the same. */
		if (at == r->at && le64toh(rec->head.seq) != r->next)
			r->damaged += ALIGN;
		r->damaged += at - r->at;
		r->at = at + n;
		r->next = le64toh(rec->head.seq) + 1;
		return true;
	}
	r->torn = r->len - r->at;
	return false;
}
