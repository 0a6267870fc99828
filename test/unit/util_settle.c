// SPDX-License-Identifier: GPL-2.0-or-later
/* util_settle.c - a node whose switch is gone: what it makes of its transactions in doubt, by the logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../util/hot.c"
#include "lib_books.h"

enum { SEEN, UNSEEN, REPLIED, WORKS };

static struct node node;
static struct work work[WORKS];
static char path[] = "/tmp/util_settle.XXXXXX";

/* Of node 1; operation 1 is cold, the others are instructions 0 and 1. */
static void make_work(unsigned int i, enum work_state state)
{
	work[i] = (struct work){ .number = i, .n = 3, .state = state, .plan.count = 2 };
	for (unsigned int o = 0; o < 3; o++) {
		work[i].ops[o] = (struct history_op){ .op = { 4 + o, 10, P4A_ADD }, .hot = o != 1 };
		work[i].plan.at[o] = o == 1 ? -1 : (int)o / 2;
	}
}

static void make_node(void)
{
	const struct history_head head = { .tenant = 7, .keys = KEYS, .txns = WORKS, .node = 1,
					   .nodes = NODES };

	close(mkstemp(path));
	node = (struct node){ .work = work, .nr_work = WORKS, .epoch = epoch,
			      .cfg.self = { .tenant = 7, .node = 1, .nodes = NODES },
			      .log = history_create(path, &head) };
	make_work(SEEN, WORK_IN_DOUBT);
	make_work(UNSEEN, WORK_IN_DOUBT);
	make_work(REPLIED, WORK_OVER);
}

static struct sent lose(unsigned int from, uint64_t key, uint64_t user)
{
	const struct p4a_op op[2] = { { key, 10, P4A_ADD }, { key + 2, 10, P4A_ADD } };
	struct sent s = intend(from, op, 2, user);

	execute(&s);
	serial++;
	return s;
}

/* Two nodes may call theirs by the same pointer. */
static struct p4a_replay *make_logs(void)
{
	const struct p4a_op add[2] = { { 4, 1, P4A_ADD }, { 12, 1, P4A_ADD } };
	struct p4a_replay_info info;
	struct p4a_replay *r;

	open_books();
	begin_epoch(1);
	move_cells(P4A_LOG_FILL, 100);
	lose(1, 4, (uintptr_t)&work[SEEN]);
	lose(1, 8, (uintptr_t)&work[UNSEEN]);
	lose(2, 12, (uintptr_t)&work[UNSEEN]);
	commit(0, add, 2);
	end_all(1);
	r = replay(&info);
	all_well(&info);
	assert_int_equal(info.settled, 2);
	return r;
}

static void logs__commit_and_undo(void **state)
{
	struct p4a_replay *r = make_logs();
	char text[512] = "";
	FILE *f;

	make_node();
	assert_int_equal(settle_doubts(&node, r), 0);
	assert_int_equal(work[SEEN].state, WORK_OVER);
	assert_int_equal(work[SEEN].ops[0].got, 104);
	assert_int_equal(work[SEEN].ops[1].got, 0);
	assert_int_equal(work[SEEN].ops[2].got, 106);
	assert_int_equal(work[UNSEEN].state, WORK_TODO);
	assert_int_equal(node.stats.settled, 1);
	assert_int_equal(node.stats.mixed, 1);
	assert_int_equal(node.stats.unknown, 0);
	assert_int_equal(history_close(node.log), 0);
	f = fopen(path, "r");
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	unlink(path);
	assert_non_null(strstr(text, "\nC 0 16777236 1;ha 4 10 104;ca 5 10 0 0 0;ha 6 10 106\nend 2\n"));
	p4a_replay_free(r);
}

static void none__leave_them_unknown(void **state)
{
	strcpy(path, "/tmp/util_settle.XXXXXX");
	make_node();
	assert_int_equal(settle_doubts(&node, NULL), 0);
	assert_int_equal(work[SEEN].state, WORK_OVER);
	assert_int_equal(work[UNSEEN].state, WORK_OVER);
	assert_int_equal(node.stats.unknown, 2);
	assert_int_equal(history_close(node.log), 0);
	unlink(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs__commit_and_undo),
		cmocka_unit_test(none__leave_them_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
