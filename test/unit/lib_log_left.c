// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib_log_left.c - what becomes of a log whose process is gone, or whose disk has failed: who begins the next
 * file ends the one before, if it has all that its process was told.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib_fake.h"
#include "logged.h"

#define KEYS	8
#define FILE_MAX	65536

static const struct p4a_demand demand = {
	.duration_us = 1000, .min_blocks = 1, .want_blocks = 2, .flows = 8,
};

static struct p4a_layout *layout;
static struct p4a_kv kv[KEYS];
static char dir[] = "/tmp/lib_log_left.XXXXXX";

/* ---------------------------------------------------------------- calls that the library makes */

static const char *come_first;		/* somebody does, with this file */
static int disk_error;			/* of the next fdatasync() */
static off_t on_disk;			/* bytes of the file of the last one */

int flock(int fd, int operation)
{
	int other = come_first ? open(come_first, O_WRONLY | O_CREAT, 0600) : -1;

	if (other >= 0)
		close(other);
	come_first = NULL;
	return syscall(SYS_flock, fd, operation);
}

int fdatasync(int fd)
{
	struct stat st;

	errno = disk_error;
	disk_error = 0;
	if (errno)
		return -1;
	assert_int_equal(fstat(fd, &st), 0);
	on_disk = st.st_size;
	return 0;
}

/* ---------------------------------------------------------------- files */

static const char *path_of(unsigned int segment)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/t7.n1.%08x.p4log", dir, segment);
	return path;
}

static void clear_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	closedir(d);
}

static void append(unsigned int segment, const void *data, size_t len)
{
	int fd = open(path_of(segment), O_WRONLY | O_CREAT | O_APPEND, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void change_open(unsigned int segment, uint32_t life, uint32_t version)
{
	int fd = open(path_of(segment), O_RDWR);
	union p4a_log_record rec;
	uint32_t len;

	assert_int_equal(pread(fd, &rec, sizeof(rec.open), 0), sizeof(rec.open));
	rec.open.life = htole32(life);
	len = p4a_log_seal(&rec, P4A_LOG_OPEN, 0, version, le64toh(rec.head.seq));
	assert_int_equal(pwrite(fd, &rec, len, 0), len);
	close(fd);
}

static struct p4a_replay_info replay(void)
{
	struct p4a_replay_info info;
	struct p4a_replay *r;

	assert_int_equal(p4a_replay_new(&r, 7, NULL), 0);
	assert_true(p4a_replay_dir(r, dir, NULL) >= 0);
	assert_int_equal(p4a_replay_run(r, 0, NULL), 0);
	p4a_replay_info(r, &info);
	p4a_replay_free(r);
	return info;
}

/* ---------------------------------------------------------------- nodes */

static struct fake *open_logged(uint32_t sync)
{
	const struct p4a_log_options opts = { .dir = dir, .sync = sync };

	return fake_open_logged(layout, &opts);
}

static void start_batch(struct fake *f)
{
	fake_start_batch(f, &demand, kv, KEYS);
}

static int submit(struct fake *f)
{
	struct p4a_op op = { 1, 5, P4A_ADD };
	struct p4a_plan plan;

	assert_int_equal(p4a_plan(layout, p4a_blocks(f->ctx), &op, 1, &plan), 1);
	return p4a_txn_submit(f->ctx, &plan, NULL);
}

/* Its log's descriptor is another one from now on. */
static void redirect(struct fake *f, const char *path, int flags)
{
	int fd = open(path, flags);

	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, f->ctx->log->fd), f->ctx->log->fd);
	close(fd);
}

static void kill_node(struct fake *f)
{
	redirect(f, "/dev/null", O_WRONLY);
	fake_close(f);
}

static uint32_t boot_of(const struct fake *f)
{
	return f->ctx->log->life & ~P4A_LOG_OUTLIVES_HOST;
}

/* ---------------------------------------------------------------- tests */

static void left__is_ended_if_it_is_whole(void **state)
{
	static const struct {
		bool same_boot;		/* or another */
		uint32_t life, version;
		bool ended;
	} t[] = {
		{ true, 0, 2, true },
		{ true, 0, 1, false },
		{ false, 8, 2, false },
		{ false, 8 | P4A_LOG_OUTLIVES_HOST, 2, true },
		{ true, P4A_LOG_OUTLIVES_HOST, 2, true },
		{ false, 0, 2, false },
		{ false, P4A_LOG_OUTLIVES_HOST, 1, false },
	};
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fake *f = open_logged(P4A_LOG_PROCESS);
		uint32_t boot = boot_of(f);

		start_batch(f);
		kill_node(f);
		change_open(1, t[i].life | (t[i].same_boot ? boot : 0), t[i].version);
		assert_int_equal(replay().unended, 2);
		fake_close(open_logged(P4A_LOG_PROCESS));
		assert_int_equal(replay().unended, t[i].ended ? 0 : 2);
		assert_int_equal(replay().damaged, 0);
		clear_dir();
	}
}

/* Half a record, and files that nobody had time to begin. */
static void left__may_be_torn(void **state)
{
	static const uint8_t some[37] = { 1, 2, 3, [36] = 4 };
	struct fake *f = open_logged(P4A_LOG_PROCESS);

	start_batch(f);
	kill_node(f);
	append(1, some, sizeof(some));
	append(2, some, 0);
	append(3, some, 30);
	f = open_logged(P4A_LOG_PROCESS);
	assert_int_equal(f->ctx->log->name.segment, 4);
	fake_close(f);
	assert_int_equal(replay().unended, 0);
	assert_int_equal(replay().damaged, 0);
	assert_int_equal(replay().keys, KEYS);
}

/* What a reader has found before END must be found by all others, also when the host has gone down. */
static void left__is_on_the_disk_first(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST);
	struct stat st;

	start_batch(f);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	kill_node(f);
	assert_int_equal(stat(path_of(1), &st), 0);
	disk_error = EIO;
	on_disk = 0;
	f = fake_open();
	assert_int_equal(p4a_log_open(f->ctx, &(struct p4a_log_options){ .dir = dir }), -EIO);
	fake_close(f);
	assert_int_equal(replay().unended, 2);
	fake_close(open_logged(P4A_LOG_HOST));
	assert_int_equal(replay().unended, 2);	/* nobody knows what the disk has lost */
}

static void end__is_behind_what_is_on_the_disk(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST);
	off_t size;

	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	assert_int_equal(p4a_leave(f->ctx), 0);
	size = f->ctx->log->size;
	assert_int_equal(on_disk, size - sizeof(struct p4a_log_end_rec));
	fake_close(f);
}

static enum fake_verdict expired(struct fake *f, uint64_t cookie, const struct p4w_msg *m)
{
	fake_refuse(f, cookie, P4W_REFUSED_EXPIRED, "epoch");
	return FAKE_DONE;
}

/* What its neighbours log of a batch that this node has not begun. */
static void begin_elsewhere(uint32_t batch)
{
	const struct p4a_log_options opts = { .dir = dir };
	struct fake *f = fake_open_as(0, 2);

	assert_int_equal(p4a_use_layout(f->ctx, layout), 0);
	assert_int_equal(p4a_log_open(f->ctx, &opts), 0);
	assert_int_equal(p4a_hello(f->ctx), 0);
	f->ctx->next_batch = batch;
	f->epoch += batch;
	assert_int_equal(p4a_request(f->ctx, &demand), 1);
	fake_close(f);
}

/* It is there again, and is told to ask for the one after that. */
static bool is_ended_by_hello(uint32_t batch)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS);

	assert_int_equal(replay().unended, 2);
	f->ctx->next_batch = batch + 1;
	p4a_logged_hello(f->ctx);
	fake_close(f);
	return !replay().unended;
}

/* It has died between grant and record, or before: whoever waits for its END gets it when it is there again. */
static void never_begun__is_ended_by_hello(void **state)
{
	struct fake *f;

	/* There was no log before: it may have been lost. */
	begin_elsewhere(40);
	assert_false(is_ended_by_hello(40));
	assert_false(is_ended_by_hello(40));
	f = open_logged(P4A_LOG_PROCESS);
	start_batch(f);
	kill_node(f);
	begin_elsewhere(42);
	fake_close(open_logged(P4A_LOG_PROCESS));
	assert_true(is_ended_by_hello(42));
	begin_elsewhere(43);
	assert_true(is_ended_by_hello(43));
	/* What was in it may be lost: the host was restarted. */
	f = open_logged(P4A_LOG_PROCESS);
	start_batch(f);
	change_open(f->ctx->log->name.segment, 8, 2);
	kill_node(f);
	begin_elsewhere(44);
	assert_false(is_ended_by_hello(44));
	assert_false(is_ended_by_hello(44));
}

/* The grant was on its way when the switch was lost. */
static void refused__is_ended(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS);

	begin_elsewhere(41);
	assert_int_equal(replay().unended, 2);
	f->on_msg = expired;
	assert_int_equal(p4a_request(f->ctx, &demand), -ESTALE);
	assert_int_equal(replay().unended, 0);
	fake_close(f);
}

/* A child process, or a sync that is not over, may have the descriptor still. */
static void lock__goes_with_the_context(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS);
	int fd = dup(f->ctx->log->fd);

	fake_close(f);
	fake_close(open_logged(P4A_LOG_PROCESS));
	close(fd);
}

static void lock__is_of_the_last(void **state)
{
	const struct p4a_log_options opts = { .dir = dir };
	struct fake *f = fake_open();

	come_first = path_of(2);
	assert_int_equal(p4a_log_open(f->ctx, &opts), -EBUSY);
	fake_close(f);
}

/* Neither the results nor that they are missing: nobody hears of them. */
static void disk__that_takes_nothing(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS);
	struct p4a_completion c;

	start_batch(f);
	assert_int_equal(submit(f), 0);
	assert_int_equal(submit(f), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.status, P4A_TXN_OK);
	redirect(f, path_of(1), O_RDONLY);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.status, P4A_TXN_OK);		/* it came with the first */
	assert_int_equal(submit(f), 0);
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.status, P4A_TXN_UNSENT);
	assert_true(f->ctx->log->mute);
	assert_int_equal(p4a_sync(f->ctx, P4A_RAN), 0);
	assert_int_equal(p4a_drain(f->ctx, kv, KEYS), -EBADF);
	assert_non_null(strstr(p4a_last_error(f->ctx), "drain: log: "));
	fake_close(f);
}

static uint64_t kept;

static enum fake_verdict keep(struct fake *f, uint64_t cookie, const struct homa_txn *t)
{
	kept = cookie;
	return FAKE_SILENT;
}

static void disk__that_takes_no_result(void **state)
{
	struct fake *f = open_logged(P4A_LOG_PROCESS);
	struct homa_txn_result r = { .epoch = f->epoch, .count = 1, .serial = 9, .result = { 7 } };
	struct p4a_completion c;

	start_batch(f);
	f->on_txn = keep;
	assert_int_equal(submit(f), 0);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	redirect(f, path_of(1), O_RDONLY);
	fake_answer(f, kept, &r, sizeof(r));
	assert_int_equal(p4a_wait(f->ctx, &c, 1, -1), 1);
	assert_int_equal(c.status, P4A_TXN_UNKNOWN);
	assert_int_equal(c.err, -EBADF);
	assert_int_equal(c.count | c.serial | c.result[0], 0);
	fake_close(f);
}

/* The ring fails while a result is on its way to the disk. */
static void ring__that_fails(void **state)
{
	struct fake *f = open_logged(P4A_LOG_HOST);
	struct p4a_completion c;

	start_batch(f);
	f->sync_late = true;
	assert_int_equal(submit(f), 0);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	fake_sync(f);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 0);
	on_disk = 0;
	f->reap_error = -EBADF;
	assert_int_equal(p4a_poll(f->ctx, &c, 1), 1);
	assert_int_equal(c.status, P4A_TXN_OK);
	assert_int_equal(c.err, -EIO);
	assert_int_equal(on_disk, f->ctx->log->size);
	fake_close(f);
}

static int make_dir(void **state)
{
	layout = fake_layout(KEYS);
	return mkdtemp(dir) ? 0 : -1;
}

static int clear(void **state)
{
	clear_dir();
	return 0;
}

static int remove_dir(void **state)
{
	p4a_layout_free(layout);
	return rmdir(dir);
}

#define LEFT_TEST(f)	cmocka_unit_test_teardown(f, clear)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LEFT_TEST(left__is_ended_if_it_is_whole),
		LEFT_TEST(left__may_be_torn),
		LEFT_TEST(left__is_on_the_disk_first),
		LEFT_TEST(end__is_behind_what_is_on_the_disk),
		LEFT_TEST(never_begun__is_ended_by_hello),
		LEFT_TEST(refused__is_ended),
		LEFT_TEST(lock__goes_with_the_context),
		LEFT_TEST(lock__is_of_the_last),
		LEFT_TEST(disk__that_takes_nothing),
		LEFT_TEST(disk__that_takes_no_result),
		LEFT_TEST(ring__that_fails),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
