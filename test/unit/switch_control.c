// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch_control.c - what a client has said that is gone: done before anybody who comes after it is
 * answered, or never. An allocator that is started again reads who owns the blocks and goes by it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../tools/p4switch/command.h"
#include "../../tools/p4switch/control.h"

#define CELLS 4096

static struct spec_array arrays[] = { { .name = "owner", .size = CELLS } };
static const struct spec spec = { .file = "p.spec", .arrays = arrays, .nr_arrays = 1 };
static uint64_t cell[CELLS];

static uint64_t read_cell(struct target *t, const struct spec_array *a, uint32_t index)
{
	return cell[index];
}

static void write_cell(struct target *t, const struct spec_array *a, uint32_t index, uint64_t v)
{
	cell[index] = v;
}

static struct target target = { .spec = &spec, .read = read_cell, .write = write_cell };
static char path[64];

static int client(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void say(int fd, const char *line)
{
	assert_int_equal(send(fd, line, strlen(line), 0), strlen(line));
}

static void one_round(void)
{
	if (control_wait(1000, NULL))
		control_serve(&target);
}

/* What somebody who has connected just now is told of the first cell stays true. */
static void assert_told_the_last(int fd)
{
	char answer[256], expected[64];
	ssize_t n;

	say(fd, "{\"cmd\":\"reg_read\",\"array\":\"owner\",\"index\":0,\"count\":1}\n");
	while ((n = recv(fd, answer, sizeof(answer) - 1, 0)) < 0) {
		assert_int_equal(errno, EAGAIN);
		one_round();
	}
	answer[n] = '\0';
	for (int i = 0; i < 20; i++)
		one_round();
	snprintf(expected, sizeof(expected), "[%llu]", (unsigned long long)cell[0]);
	if (!strstr(answer, expected))
		fail_msg("it is %s in the end, but was told %s", expected, answer);
	close(fd);
}

/* There is a place before its own, which somebody else has left. */
static int client_behind_a_gap(void)
{
	int first = client(), fd;

	one_round();
	fd = client();
	one_round();
	close(first);
	one_round();
	return fd;
}

static void gone__with_a_line_unread(void **state)
{
	int old = client_behind_a_gap(), new;

	say(old, "{\"cmd\":\"reg_write\",\"array\":\"owner\",\"index\":0,\"values\":[7]}\n"
		 "{\"cmd\":\"reg_write\",\"array\":\"owner\",\"index\":0,\"values\":[8]}\n");
	close(old);
	new = client();
	assert_told_the_last(new);
}

/* The switch looks who wants something, and before it serves them the old one says its last. */
static void gone__while_the_next_was_accepted(void **state)
{
	int old = client_behind_a_gap(), new;

	new = client();
	assert_true(control_wait(1000, NULL));
	say(old, "{\"cmd\":\"reg_write\",\"array\":\"owner\",\"index\":0,\"values\":[6]}\n");
	close(old);
	control_serve(&target);
	assert_told_the_last(new);
}

static void gone__before_it_was_accepted(void **state)
{
	int old = client(), new;

	say(old, "{\"cmd\":\"reg_write\",\"array\":\"owner\",\"index\":0,\"values\":[9]}\n");
	close(old);
	new = client();
	assert_told_the_last(new);
}

/* It has not read its answers, so it is not read from; and what it has said still lies there. */
static void gone__without_reading_its_answers(void **state)
{
	char line[128];
	int old = client(), new;

	one_round();
	for (unsigned int i = 0; i < 400; i++) {
		snprintf(line, sizeof(line), "{\"cmd\":\"reg_fill\",\"array\":\"owner\",\"index\":0,"
			 "\"count\":1,\"value\":%u}\n", 1000 + i);
		if (send(old, line, strlen(line), MSG_DONTWAIT) < 0)
			break;
		say(old, "{\"cmd\":\"reg_read\",\"array\":\"owner\",\"index\":0,\"count\":4096}\n");
		one_round();
	}
	assert_in_range(cell[0], 1000, 1398);
	close(old);
	new = client();
	assert_told_the_last(new);
}

static bool is_answered(int fd)
{
	static const char line[] = "{\"cmd\":\"reg_read\",\"array\":\"owner\",\"index\":0,\"count\":1}\n";
	char answer[256];
	ssize_t n;

	if (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) != sizeof(line) - 1)
		return false;
	for (int i = 0; i < 1000; i++) {
		one_round();
		n = recv(fd, answer, sizeof(answer), 0);
		if (n >= 0)
			return n > 0;
	}
	return false;
}

/* Who has not been heard of for longest goes, not who has been there for longest. */
static void idle__makes_room(void **state)
{
	int fd[40];
	char c;

	for (int i = 0; i < 32; i++) {
		fd[i] = client();
		one_round();
	}
	assert_true(is_answered(fd[0]));
	for (int i = 32; i < 40; i++) {
		fd[i] = client();
		one_round();
		assert_int_equal(recv(fd[i - 31], &c, 1, 0), 0);
	}
	assert_true(is_answered(fd[0]));
	for (int i = 9; i < 40; i++)
		assert_true(is_answered(fd[i]));
	for (int i = 0; i < 40; i++)
		close(fd[i]);
	for (int i = 0; i < 40; i++)
		one_round();
}

static int create(void **state)
{
	char err[128];

	snprintf(path, sizeof(path), "/tmp/switch_control.%d", getpid());
	return control_open(path, err, sizeof(err));
}

static int destroy(void **state)
{
	control_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gone__with_a_line_unread),
		cmocka_unit_test(gone__while_the_next_was_accepted),
		cmocka_unit_test(gone__before_it_was_accepted),
		cmocka_unit_test(gone__without_reading_its_answers),
		cmocka_unit_test(idle__makes_room),
	};

	return cmocka_run_group_tests(tests, create, destroy);
}
