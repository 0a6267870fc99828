// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * log_file.c - what is done to a log's file besides adding to it: it is read as a whole, ended in place of
 * a process that could not, and disowned.
 *
 * Who reads logs waits for END, and decides by what is before it. So END may come only when all that
 * its process was told is there, and will not be lost any more if the log was to outlive its host.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

int p4a_log_write(int fd, const uint8_t *data, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data += n;
		len -= n;
		at += n;
	}
	return 0;
}

uint8_t *p4a_log_read(int fd, size_t *len)
{
	struct stat st;
	uint8_t *data;

	if (fstat(fd, &st))
		return NULL;
	data = malloc(st.st_size + 1);
	for (*len = 0; data && *len < (size_t)st.st_size;) {
		ssize_t n = read(fd, data + *len, st.st_size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(data);
			return NULL;
		}
		if (!n)
			break;
		*len += n;
	}
	return data;
}

int p4a_log_disown(int fd, const struct p4a_log_open_rec *open, uint32_t segment)
{
	bool to_disk = le32toh(open->life) & P4A_LOG_OUTLIVES_HOST;
	union p4a_log_record rec = { .open = *open };
	uint32_t len;
	int rc;

	rec.open.life = 0;
	len = p4a_log_seal(&rec, P4A_LOG_OPEN, 0, P4A_LOG_VERSION,
			   (uint64_t)segment << P4A_LOG_SEGMENT_SHIFT);
	rc = p4a_log_write(fd, rec.bytes, len, 0);
	return !rc && to_disk && fdatasync(fd) ? -errno : rc;
}

/* A host that has gone down since may have taken with it what its processes had been told; so may an error. */
static bool is_whole(const struct p4a_log_open_rec *open, uint32_t boot)
{
	uint32_t life = le32toh(open->life);

	return le32toh(open->head.arg) > P4A_LOG_VERSION_DRAIN_LAST &&
	       (life & P4A_LOG_OUTLIVES_HOST || (life && life == boot));
}

/* The last batch that has begun there and not ended; 0: none. *any: the file tells of batches. */
static uint32_t open_batch(struct p4a_log_reader *r, bool *any)
{
	union p4a_log_record rec;
	uint32_t batch = 0;

	while (p4a_log_reader_next(r, &rec)) {
		*any |= rec.head.type == P4A_LOG_GRANT || rec.head.type == P4A_LOG_END;
		if (rec.head.type == P4A_LOG_GRANT)
			batch = le32toh(rec.head.arg);
		if (rec.head.type == P4A_LOG_END && le32toh(rec.head.arg) == batch)
			batch = 0;
	}
	return batch;
}

/* 0: it has an END for all that has begun there. */
static int add_end(int fd, struct p4a_log_reader *r, bool *any)
{
	uint32_t batch = open_batch(r, any);
	union p4a_log_record rec;
	uint32_t len;

	if (!batch)
		return 0;
	len = p4a_log_seal(&rec, P4A_LOG_END, 0, batch, r->next);
	return p4a_log_write(fd, rec.bytes, len, r->at);
}

static int end_on_disk(int fd, struct p4a_log_reader *r, const struct p4a_log_open_rec *open, bool *any)
{
	int rc = fdatasync(fd) ? -errno : add_end(fd, r, any);

	if (!rc && fdatasync(fd))
		rc = -errno;
	if (rc)
		p4a_log_disown(fd, open, r->segment);
	return rc;
}

int p4a_log_end_left(int fd, uint32_t boot)
{
	struct p4a_log_open_rec open;
	struct p4a_log_reader r;
	bool any = false;
	size_t len;
	uint8_t *data = p4a_log_read(fd, &len);
	int rc = data ? p4a_log_reader_init(&r, data, len, &open) : -errno;

	if (rc == 1) {
		rc = P4A_LOG_HOLDS_NOTHING;
	} else if (rc == -EBADMSG || rc == -EPROTONOSUPPORT || (!rc && !is_whole(&open, boot))) {
		rc = P4A_LOG_MAY_LACK;
	} else if (!rc) {
		rc = le32toh(open.life) & P4A_LOG_OUTLIVES_HOST ? end_on_disk(fd, &r, &open, &any) :
								  add_end(fd, &r, &any);
		if (!rc)
			rc = r.damaged ? P4A_LOG_MAY_LACK :
			     any ? P4A_LOG_IS_WHOLE : P4A_LOG_HOLDS_NOTHING;
	}
	free(data);
	return rc;
}
