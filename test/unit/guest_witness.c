// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_witness.c - the witness of random schedules, itself: each kind of fault that it is there for is
 * played through the real control socket, whose switch is an array, and must be found; a history with
 * all that is right must not be complained of.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

int witness_main(int argc, char **argv);

#define main witness_main
#include "../guest/witness.c"
#undef main

#include "../../tools/p4switch/command.h"
#include "../../tools/p4switch/control.h"

#define SIZE	512
#define SERIAL(epoch)	((uint64_t)(epoch) << P4W_SERIAL_SHIFT)
#define WORD(tenant, epoch)	((uint64_t)(tenant) << P4W_EPOCH_BITS | (epoch))

/* ------------------------------------------------------------------ the switch, a process of its own */

enum { OWNER, SERIALS, ACCESS, LOCK, FLOW_STATE, FLOW_SERIAL, R0, R1, ARRAYS };

static struct spec_array arrays[ARRAYS] = {
	{ .name = "owner", .size = 8 }, { .name = "serial", .size = 8 },
	{ .name = "access", .size = 8 }, { .name = "lock", .size = 8 },
	{ .name = "flow_state", .size = SIZE }, { .name = "flow_serial", .size = SIZE },
	{ .name = "r0", .size = SIZE }, { .name = "r1", .size = SIZE },
};
static const struct spec spec = { .file = "p.spec", .arrays = arrays, .nr_arrays = ARRAYS };

static struct memory {			/* shared with it */
	uint64_t cell[ARRAYS][SIZE];
	uint64_t boot;
} *mem;

static uint64_t read_array(struct target *t, const struct spec_array *a, uint32_t index)
{
	return mem->cell[a - arrays][index];
}

static void write_array(struct target *t, const struct spec_array *a, uint32_t index, uint64_t value)
{
	mem->cell[a - arrays][index] = value;
}

static void drain(struct target *t)
{
}

static int no_port(struct target *t, unsigned int nth, struct target_port *port)
{
	return -ENOENT;
}

static struct target target = {
	.spec = &spec, .read = read_array, .write = write_array, .drain = drain, .port_get = no_port,
};

/* ------------------------------------------------------------------ the three processes */

static char sw_path[64], path[64], record_path[64], output_path[64];
static pid_t switch_pid, witness_pid;
static int fd = -1;			/* the allocator's connection */

static void await_path(const char *what)
{
	for (int i = 0; access(what, F_OK) && i < 5000; i++)
		usleep(1000);
	assert_int_equal(access(what, F_OK), 0);
}

static void run_switch(void)
{
	char err[200];

	if (control_open(sw_path, err, sizeof(err)))
		_exit(1);
	for (;;) {
		target.boot = mem->boot;
		if (control_wait(1000, NULL))
			control_serve(&target);
	}
}

static void run_witness(void)
{
	char *argv[] = { "witness", path, sw_path, record_path, NULL };

	if (!freopen(output_path, "w", stdout))
		_exit(3);
	exit(witness_main(4, argv));
}

static pid_t start(void (*run)(void), const char *made)
{
	pid_t pid;

	unlink(made);
	fflush(NULL);
	pid = fork();
	if (!pid)
		run();
	await_path(made);
	return pid;
}

static void dial(void)
{
	if (fd >= 0)
		close(fd);
	fd = connect_to(path);
	assert_true(fd >= 0);
}

/* One line, and its answer; false: the connection is gone. */
static bool order(const char *fmt, ...)
{
	char line[4096], answer_line[4096];
	size_t len = 0;
	va_list args;
	ssize_t n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	assert_int_equal(send(fd, line, n, MSG_NOSIGNAL), n);
	do {
		n = recv(fd, answer_line + len, sizeof(answer_line) - 1 - len, 0);
		if (n <= 0)
			return false;
		len += n;
	} while (answer_line[len - 1] != '\n');
	answer_line[len] = '\0';
	if (!strstr(answer_line, "\"ok\":true"))
		fail_msg("%s is answered %s", line, answer_line);
	return true;
}

static int set_up(void **state)
{
	snprintf(sw_path, sizeof(sw_path), "/tmp/guest_witness.s%d", getpid());
	snprintf(path, sizeof(path), "/tmp/guest_witness.w%d", getpid());
	snprintf(record_path, sizeof(record_path), "/tmp/guest_witness.r%d", getpid());
	snprintf(output_path, sizeof(output_path), "/tmp/guest_witness.o%d", getpid());
	mem = mmap(NULL, sizeof(*mem), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(mem != MAP_FAILED);
	mem->boot = 1000;
	switch_pid = start(run_switch, sw_path);
	witness_pid = start(run_witness, path);
	dial();
	order("{\"cmd\":\"info\"}\n");
	return 0;
}

/* What it has said, and its exit status. */
static const char *verdict(int *status)
{
	static char text[8192];
	FILE *f;
	size_t n;

	kill(witness_pid, SIGTERM);
	assert_int_equal(waitpid(witness_pid, status, 0), witness_pid);
	witness_pid = 0;
	f = fopen(output_path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void end_process(pid_t pid)
{
	if (!pid)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int tear_down(void **state)
{
	end_process(witness_pid);
	end_process(switch_pid);
	close(fd);
	fd = -1;
	munmap(mem, sizeof(*mem));
	unlink(sw_path);
	unlink(path);
	unlink(record_path);
	unlink(output_path);
	return 0;
}

/* ------------------------------------------------------------------ the allocator */

static bool info(void)
{
	return order("{\"cmd\":\"info\"}\n");
}

static bool read_owners(void)
{
	return order("{\"cmd\":\"reg_read\",\"array\":\"owner\",\"index\":0,\"count\":8}\n");
}

/* n blocks from `first` on, with one flow. */
static bool order_give(unsigned int at, unsigned int n, uint32_t tenant, uint64_t epoch,
		       unsigned int flow)
{
	return order("{\"cmd\":\"batch\",\"cmds\":["
		     "{\"cmd\":\"reg_fill\",\"array\":\"flow_state\",\"index\":%u,\"count\":1,\"value\":%" PRIu64 "},"
		     "{\"cmd\":\"reg_fill\",\"array\":\"serial\",\"index\":%u,\"count\":1,\"value\":%" PRIu64 "},"
		     "{\"cmd\":\"reg_fill\",\"array\":\"owner\",\"index\":%u,\"count\":%u,\"value\":%" PRIu64 "}]}\n",
		     flow, (uint64_t)tenant << P4W_FLOW_TENANT_SHIFT, at, SERIAL(epoch), at, n,
		     WORD(tenant, epoch));
}

/* A grant that stands gets another block: its serial and flows stay. */
static bool order_grow(unsigned int at, uint32_t tenant, uint64_t epoch)
{
	return order("{\"cmd\":\"batch\",\"cmds\":["
		     "{\"cmd\":\"reg_write\",\"array\":\"access\",\"indexes\":[%u],\"values\":[0]},"
		     "{\"cmd\":\"reg_write\",\"array\":\"owner\",\"indexes\":[%u],\"values\":[%" PRIu64 "]}]}\n",
		     at, at, WORD(tenant, epoch));
}

static bool order_take(unsigned int at, unsigned int n)
{
	return order("{\"cmd\":\"batch\",\"cmds\":["
		     "{\"cmd\":\"reg_fill\",\"array\":\"owner\",\"index\":%u,\"count\":%u,\"value\":0},"
		     "{\"cmd\":\"drain\"}]}\n", at, n);
}

static bool order_clear(unsigned int block)
{
	return order("{\"cmd\":\"reg_fill\",\"array\":\"r*\",\"index\":%u,\"count\":%u,\"value\":0}\n",
		     block * P4W_BLOCK_SLOTS, P4W_BLOCK_SLOTS);
}

/* ------------------------------------------------------------------ histories */

static void expect_nothing(const char *summary)
{
	int status;
	const char *text_ = verdict(&status);

	if (status || strstr(text_, "FAULT") || !strstr(text_, summary))
		fail_msg("exit %d, not '%s': %s", WEXITSTATUS(status), summary, text_);
}

/* This fault, and no other. */
static void expect_fault(const char *part)
{
	int status;
	const char *text_ = verdict(&status), *found = strstr(text_, "FAULT");

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 || !found || strstr(found + 1, "FAULT") ||
	    !strstr(text_, part) || !strstr(text_, "1 faults"))
		fail_msg("exit %d, not '%s' alone: %s", WEXITSTATUS(status), part, text_);
}

static void right__all_that_an_allocator_does(void **state)
{
	read_owners();
	order_give(0, 2, 1, 1, 0);
	order_give(2, 1, 2, 2, 1);
	mem->cell[SERIALS][0] += 7;	/* transactions */
	order_grow(3, 1, 1);
	order_take(3, 1);		/* and less again */
	order_take(2, 1);
	order_clear(2);
	order_grow(2, 1, 1);		/* it stands, though the block has had a later one */
	read_owners();
	order_take(0, 3);
	order_give(0, 3, 2, 3, 0);	/* flows are free with the grant */
	dial();				/* another life of the allocator, which was not told that it is done */
	info();
	read_owners();
	order_clear(0);
	order_give(0, 3, 2, 3, 0);
	memset(mem, 0, sizeof(mem->cell));
	mem->boot++;			/* the switch was started anew: it has lost all */
	usleep(5000);
	dial();
	info();
	read_owners();
	order_give(0, 1, 1, 4, 0);
	expect_nothing("3 connections, 2 starts of the switch, 9 blocks given, 3 given again, 5 taken, "
		       "0 lines lost, 0 faults");
}

static void right__lines_are_lost(void **state)
{
	kill(witness_pid, SIGUSR1);
	usleep(2000);
	assert_false(order_give(0, 1, 1, 1, 0));	/* done, and nobody hears of it */
	dial();
	info();
	assert_int_equal(mem->cell[OWNER][0], WORD(1, 1));
	read_owners();
	kill(witness_pid, SIGUSR2);
	usleep(2000);
	assert_false(order_take(0, 1));			/* not done */
	dial();
	info();
	assert_int_equal(mem->cell[OWNER][0], WORD(1, 1));
	read_owners();
	expect_nothing("3 connections, 1 starts of the switch, 1 blocks given, 0 given again, 0 taken, "
		       "2 lines lost, 0 faults");
}

static void wrong__block_has_an_owner(void **state)
{
	order_give(0, 1, 1, 1, 0);
	order_give(0, 1, 2, 2, 1);
	expect_fault("block 0 is given to tenant 2 (epoch 2) while tenant 1 (epoch 1) has it");
}

static void wrong__it_had_one_for_another_life(void **state)
{
	order_give(0, 1, 1, 1, 0);
	dial();
	info();
	order_give(0, 1, 2, 2, 1);
	expect_fault("block 0 is given to tenant 2 (epoch 2) while tenant 1 (epoch 1) has it");
}

static void wrong__not_drained(void **state)
{
	order_give(0, 1, 1, 1, 0);
	order("{\"cmd\":\"reg_write\",\"array\":\"owner\",\"index\":0,\"values\":[0]}\n");
	order_give(0, 1, 2, 2, 0);
	expect_fault("block 0 is given to tenant 2 before it has been drained");
}

static void wrong__drained_before_the_fence(void **state)
{
	order_give(0, 1, 1, 1, 0);
	order("{\"cmd\":\"batch\",\"cmds\":[{\"cmd\":\"drain\"},"
	      "{\"cmd\":\"reg_write\",\"array\":\"owner\",\"index\":0,\"values\":[0]}]}\n");
	order_give(0, 1, 2, 2, 0);
	expect_fault("block 0 is given to tenant 2 before it has been drained");
}

static void wrong__epoch_goes_back(void **state)
{
	order_give(0, 1, 1, 5, 0);
	order_take(0, 1);
	order_give(0, 1, 1, 4, 0);
	expect_fault("block 0 is given under epoch 4, and has had 5");
}

static void wrong__epoch_of_two(void **state)
{
	order_give(0, 1, 1, 1, 0);
	order_give(1, 1, 2, 1, 1);
	expect_fault("epoch 1 is tenant 2's, and had been tenant 1's");
}

static void wrong__flow_of_two(void **state)
{
	order_give(0, 1, 1, 1, 3);
	order_give(1, 1, 2, 2, 3);
	expect_fault("flow 3 is given to tenant 2 (epoch 2) while tenant 1 (epoch 1) has it");
}

static void wrong__given_again_too_late(void **state)
{
	order_give(0, 1, 1, 1, 0);
	mem->cell[SERIALS][0] += 3;
	order_give(0, 1, 1, 1, 0);
	expect_fault("tenant 1's grant of epoch 1 is given again after 3 transactions");
}

static void wrong__cleared_under_its_owner(void **state)
{
	order_give(0, 2, 1, 1, 0);
	order_clear(1);
	order_take(0, 2);
	expect_fault("cells of block 1 were cleared while tenant 1 had it");
}

static void wrong__cleared_until_the_end(void **state)
{
	order_give(0, 1, 1, 1, 0);
	order_clear(0);
	expect_fault("cells of block 0 were cleared while tenant 1 had it");
}

/* Somebody else has written into the switch, or it has not done what it said. */
static void wrong__other_owners(void **state)
{
	order_give(0, 1, 1, 1, 0);
	mem->cell[OWNER][0] = WORD(1, 2);
	read_owners();
	expect_fault("block 0 has owner word 10000000002, must be 10000000001");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(right__all_that_an_allocator_does),
		TEST(right__lines_are_lost),
		TEST(wrong__block_has_an_owner),
		TEST(wrong__it_had_one_for_another_life),
		TEST(wrong__not_drained),
		TEST(wrong__drained_before_the_fence),
		TEST(wrong__epoch_goes_back),
		TEST(wrong__epoch_of_two),
		TEST(wrong__flow_of_two),
		TEST(wrong__given_again_too_late),
		TEST(wrong__cleared_under_its_owner),
		TEST(wrong__cleared_until_the_end),
		TEST(wrong__other_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
