// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * log.c - a node's log on disk: records gather in a buffer, which goes to the file in one write.
 *
 * Owns directory and file. Knows nothing of contexts; whoever needs a record on the disk waits for
 * it elsewhere (logged.c). After an error nothing is written any more: a record behind a hole would
 * not be believed, and what a failed fdatasync() has lost cannot be found out.
 *
 * A segment is locked as long as it is written to, and nobody begins one behind it meanwhile. Who does
 * so ends it first, if its process could not (log_file.c).
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "log.h"

#define BUFFER		65536		/* some 400 transactions with 8 operations */
#define SEGMENT_DEFAULT	(16u << 20)
#define SEGMENT_MIN	4096
#define SEGMENT_MAX	(1u << 30)
#define NAME_MAX_LEN	48

static void format_name(char *text, const struct p4a_log_name *n)
{
	snprintf(text, NAME_MAX_LEN, "t%u.n%u.%08x.p4log", n->tenant, n->node, n->segment);
}

bool p4a_log_parse_name(const char *file, struct p4a_log_name *n)
{
	char again[NAME_MAX_LEN];

	if (sscanf(file, "t%u.n%u.%8x.p4log", &n->tenant, &n->node, &n->segment) != 3)
		return false;
	format_name(again, n);
	return !strcmp(file, again);
}

/* First and last segment of this node in the directory; last 0: there is none. */
static int find_segments(const struct p4a_log *log, uint32_t *first, uint32_t *last)
{
	int fd = openat(log->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct p4a_log_name name;
	struct dirent *e;

	*first = UINT32_MAX;
	*last = 0;
	if (!d) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((e = readdir(d))) {
		if (!p4a_log_parse_name(e->d_name, &name) || name.tenant != log->name.tenant ||
		    name.node != log->name.node)
			continue;
		if (name.segment < *first)
			*first = name.segment;
		if (name.segment > *last)
			*last = name.segment;
	}
	closedir(d);
	return 0;
}

static void make_open(const struct p4a_log *log, union p4a_log_record *rec)
{
	rec->open = (struct p4a_log_open_rec) {
		.magic = P4A_LOG_MAGIC, .tenant = htole32(log->name.tenant),
		.node = htole16(log->name.node), .nodes = htole16(log->nodes),
		.registers = htole16(log->geo.registers), .blocks = htole16(log->geo.blocks),
		.life = htole32(log->life),
	};
}

/*
 * Callers will hear of what is not in the log, so nobody may end this file for its process. A full disk has
 * room for that. Where even that fails, they are told nothing.
 */
void p4a_log_fail(struct p4a_log *log, int err)
{
	union p4a_log_record rec;

	if (log->err)
		return;
	log->err = err;
	make_open(log, &rec);
	log->mute = p4a_log_disown(log->fd, &rec.open, log->name.segment);
}

int p4a_log_flush(struct p4a_log *log)
{
	int rc;

	if (!log->used || log->err) {
		log->used = 0;
		return log->err;
	}
	rc = p4a_log_write(log->fd, log->buf, log->used, log->size);
	if (rc) {
		p4a_log_fail(log, rc);
	} else {
		log->size += log->used;
		log->written = log->next;
		log->info.bytes += log->used;
		log->info.writes++;
	}
	log->used = 0;
	return rc;
}

union p4a_log_record *p4a_log_room(struct p4a_log *log)
{
	if (BUFFER - log->used < P4A_LOG_RECORD_MAX)
		p4a_log_flush(log);
	return (union p4a_log_record *)(log->buf + log->used);
}

uint64_t p4a_log_append(struct p4a_log *log, union p4a_log_record *rec, enum p4a_log_type type,
			unsigned int count, uint32_t arg)
{
	log->used += p4a_log_seal(rec, type, count, arg, log->next);
	log->info.records++;
	return log->next++;
}

static void append_open(struct p4a_log *log)
{
	union p4a_log_record *rec = p4a_log_room(log);

	make_open(log, rec);
	p4a_log_append(log, rec, P4A_LOG_OPEN, 0, P4A_LOG_VERSION);
}

/* A file of its own: whatever else there is of that name belongs to somebody. */
static int create_segment(struct p4a_log *log, uint32_t segment)
{
	struct p4a_log_name name = log->name;
	char text[NAME_MAX_LEN];
	int fd, rc;

	name.segment = segment;
	format_name(text, &name);
	fd = openat(log->dir, text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	if (log->fd >= 0)
		close(log->fd);
	log->fd = fd;
	log->name = name;
	log->size = 0;
	log->next = (uint64_t)segment << P4A_LOG_SEGMENT_SHIFT;
	append_open(log);
	rc = p4a_log_sync(log);
	/* A file is lost with its host unless its directory has been written too. */
	if (!rc && log->to_disk && fsync(log->dir))
		rc = -errno;
	log->info.segments++;
	return rc;
}

int p4a_log_sync(struct p4a_log *log)
{
	if (p4a_log_flush(log) || !log->to_disk || log->synced >= log->written)
		return log->err;
	if (fdatasync(log->fd))
		p4a_log_fail(log, -errno);
	else
		log->synced = log->written;
	return log->err;
}

void p4a_log_begin_batch(struct p4a_log *log)
{
	int rc = 0;

	/* Results of the batch before may still come: the next segment would say that they don't. */
	if (p4a_log_flush(log) || log->ending || log->size < log->segment_bytes)
		return;
	if (!p4a_log_sync(log) && log->name.segment < UINT32_MAX)
		rc = create_segment(log, log->name.segment + 1);
	if (rc)
		p4a_log_fail(log, rc);
}

void p4a_log_trim(struct p4a_log *log)
{
	struct p4a_log_name name = log->name;
	char text[NAME_MAX_LEN];

	for (; log->oldest < log->name.segment; log->oldest++) {
		name.segment = log->oldest;
		format_name(text, &name);
		/* What cannot be removed is only in the way. */
		if (!unlinkat(log->dir, text, 0))
			log->info.trimmed++;
	}
}

/* When the host was booted: some number that it will not be again. 0: not known. */
static uint32_t boot_number(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[40] = "";
	ssize_t n = 0;

	if (fd >= 0) {
		n = read(fd, id, sizeof(id));
		close(fd);
	}
	return n > 0 ? p4a_log_check(id, sizeof(id)) & ~P4A_LOG_OUTLIVES_HOST : 0;
}

static int open_segment(const struct p4a_log *log, uint32_t segment)
{
	struct p4a_log_name name = log->name;
	char text[NAME_MAX_LEN];
	int fd;

	name.segment = segment;
	format_name(text, &name);
	fd = openat(log->dir, text, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The descriptor that has the lock of the last segment: whoever has written it is gone. */
static int lock_segment(const struct p4a_log *log, uint32_t segment)
{
	int fd = open_segment(log, segment), rc;

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return rc;
}

/* The last one that holds anything: behind it there may be some that nobody had time to begin. */
static int end_left(struct p4a_log *log, int held, uint32_t first, uint32_t last)
{
	uint32_t boot = log->life & ~P4A_LOG_OUTLIVES_HOST;
	int rc = p4a_log_end_left(held, boot), fd;

	while (rc == P4A_LOG_HOLDS_NOTHING && last > first) {
		fd = open_segment(log, --last);
		if (fd == -ENOENT)
			continue;
		rc = fd < 0 ? fd : p4a_log_end_left(fd, boot);
		if (fd >= 0)
			close(fd);
	}
	log->heir = rc == P4A_LOG_IS_WHOLE;
	return rc < 0 ? rc : 0;
}

/* Who came at the same time may have begun a later one, and have removed that of this number. */
static int is_last(const struct p4a_log *log)
{
	uint32_t first, last;
	int rc = find_segments(log, &first, &last);

	return rc ? rc : last == log->name.segment ? 0 : -EBUSY;
}

/* Who comes at the same time finds one of the two files locked, or there. */
static int create_behind(struct p4a_log *log, uint32_t first, uint32_t last)
{
	int held = last ? lock_segment(log, last) : -1, rc = 0;

	if (last)
		rc = held < 0 ? held : end_left(log, held, first, last);
	if (!rc)
		rc = create_segment(log, last + 1);
	if (!rc)
		rc = is_last(log);
	if (held >= 0)
		close(held);
	return rc;
}

static int start(struct p4a_log *log, const char *dir, struct p4a_error *err)
{
	uint32_t first, last;
	int rc;

	log->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->dir < 0)
		return p4a_fail(err, -errno, "log: %s: %s", dir, strerror(errno));
	rc = find_segments(log, &first, &last);
	if (!rc && last == UINT32_MAX)
		rc = -EOVERFLOW;
	if (!rc)
		rc = create_behind(log, first, last);
	if (rc == -EBUSY)
		return p4a_fail(err, rc, "log: %s: another process keeps this node's", dir);
	if (rc)
		return p4a_fail(err, rc, "log: %s: %s", dir, strerror(-rc));
	log->oldest = last ? first : last + 1;
	return 0;
}

int p4a_log_new(struct p4a_log **out, const struct p4a_log_options *opts,
		const struct p4a_options *self, const struct p4a_geometry *geo,
		struct p4a_error *err)
{
	static const struct p4a_log_options zero;
	struct p4a_log *log;
	int rc;

	if (!opts->dir)
		return p4a_fail(err, -EINVAL, "log: dir: must name a directory");
	if (opts->sync != P4A_LOG_PROCESS && opts->sync != P4A_LOG_HOST)
		return p4a_fail(err, -EINVAL, "log: sync %u, must be 0 .. 1", opts->sync);
	if (opts->segment_bytes &&
	    (opts->segment_bytes < SEGMENT_MIN || opts->segment_bytes > SEGMENT_MAX))
		return p4a_fail(err, -EINVAL, "log: segment_bytes %u, must be %u .. %u",
				opts->segment_bytes, SEGMENT_MIN, SEGMENT_MAX);
	if (memcmp(opts->reserved, zero.reserved, sizeof(zero.reserved)))
		return p4a_fail(err, -EINVAL, "log: reserved must be 0");
	log = calloc(1, sizeof(*log));
	if (log)
		log->buf = malloc(BUFFER);
	if (!log || !log->buf) {
		free(log);
		return p4a_fail(err, -ENOMEM, "log: no memory");
	}
	log->dir = log->fd = -1;
	log->name = (struct p4a_log_name) { .tenant = self->tenant, .node = self->node };
	log->nodes = self->nodes;
	log->geo = *geo;
	log->to_disk = opts->sync == P4A_LOG_HOST;
	log->life = boot_number() | (log->to_disk ? P4A_LOG_OUTLIVES_HOST : 0);
	log->segment_bytes = opts->segment_bytes ? opts->segment_bytes : SEGMENT_DEFAULT;
	log->wait_first = UINT32_MAX;
	rc = start(log, opts->dir, err);
	if (rc)
		p4a_log_free(log);
	else
		*out = log;
	return rc;
}

void p4a_log_free(struct p4a_log *log)
{
	if (!log)
		return;
	if (log->fd >= 0) {
		p4a_log_flush(log);
		/* The descriptor may live on, in a child process or in the ring; the lock must not. */
		flock(log->fd, LOCK_UN);
		close(log->fd);
	}
	if (log->dir >= 0)
		close(log->dir);
	free(log->buf);
	free(log);
}
