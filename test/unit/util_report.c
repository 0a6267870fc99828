// SPDX-License-Identifier: GPL-2.0-or-later
/* The report: what its figures are made of, and that a rack which did too little is told so. */
int report_main(int argc, char **argv);

#define main report_main
#include "../../util/p4report.c"
#undef main

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void count_handovers__only_from_others(void **state)
{
	static struct rack r;

	tenant_of(&r, 1);
	tenant_of(&r, 2);
	/* Two nodes each name the same grants; 1 2 2 1 1 2 in order of epochs. */
	r.nr_grants = 8;
	memcpy(r.grant, (struct grant[]){ { 9, 2 }, { 3, 1 }, { 5, 2 }, { 4, 2 }, { 7, 1 }, { 7, 1 },
					  { 6, 1 }, { 9, 2 } }, 8 * sizeof(r.grant[0]));
	count_handovers(&r);
	assert_int_equal(tenant_of(&r, 1)->handovers, 1);
	assert_int_equal(tenant_of(&r, 2)->handovers, 2);
}

static void percentile__of_few_values(void **state)
{
	struct tenant t = { .wait = { 1000, 2000, 3000, 4000 }, .nr_waits = 4 };

	assert_true(percentile(&t, 50) == 2);
	assert_true(percentile(&t, 51) == 3);
	assert_true(percentile(&t, 99) == 4);
	t.nr_waits = 0;
	assert_true(percentile(&t, 50) == 0);
}

static void spread__splits_by_time(void **state)
{
	struct usage u = { .start = 10, .end = 10 + COLUMNS, .total = 4 };
	struct usage_line l = { 0 };

	spread(&u, &l, 11.5, 13, 2);
	assert_true(l.held[0] == 0);
	assert_true(l.held[1] == 1);
	assert_true(l.held[2] == 2);
	assert_true(l.held[3] == 0);
}

static const char good[] =
	"{\"tenant\": %d, \"node\": %d, \"transactions\": %d, \"committed\": %d, \"hot\": 10, "
	"\"mixed\": 80, \"cold\": 10, \"aborted\": 0, \"hot_ops\": %d, \"hot_key_ops\": 100, "
	"\"grants\": %d, \"epochs\": [%s], \"wait_us\": [5, 6], \"txns_per_s\": 10.5}\n";

struct figures {
	int txns, committed, hot_ops, grants;
	const char *epochs1, *epochs2;
};

/* The report's exit status for two tenants of one node, of which the first has these figures. */
static int judge(const struct figures *f)
{
	char path[2][32] = { "/tmp/util_report.XXXXXX", "/tmp/util_report.XXXXXX" };
	char *argv[] = { "p4report", "--expect-txns", "100", "--expect-batches", "3",
			 "--expect-handovers", "2", "--expect-hot", "50", path[0], path[1], NULL };
	int rc;

	for (int i = 0; i < 2; i++) {
		FILE *out = fdopen(mkstemp(path[i]), "w");

		if (i)
			fprintf(out, good, 2, 0, 100, 100, 90, 3, f->epochs2);
		else
			fprintf(out, good, 1, 0, f->txns, f->committed, f->hot_ops, f->grants,
				f->epochs1);
		fclose(out);
	}
	/* The program's table is static; a child starts with an empty one. */
	fflush(stdout);
	if (!fork()) {
		optind = 1;
		_exit(report_main(11, argv));
	}
	wait(&rc);
	unlink(path[0]);
	unlink(path[1]);
	return WEXITSTATUS(rc);
}

static void main__judges_expectations(void **state)
{
	static const struct { struct figures f; int want; } t[] = {
		{ { 100, 100, 51, 3, "2, 4, 6", "1, 3, 5" }, 0 },
		{ { 99, 99, 51, 3, "2, 4, 6", "1, 3, 5" }, 1 },		/* too few */
		{ { 100, 99, 51, 3, "2, 4, 6", "1, 3, 5" }, 1 },	/* one has no fate */
		{ { 100, 100, 50, 3, "2, 4, 6", "1, 3, 5" }, 1 },	/* just half is not more */
		{ { 100, 100, 51, 2, "2, 4, 6", "1, 3, 5" }, 1 },
		{ { 100, 100, 51, 3, "4, 5, 6", "1, 2, 3" }, 1 },	/* one hand-over only */
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(judge(&t[i].f), t[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(count_handovers__only_from_others),
		cmocka_unit_test(percentile__of_few_values),
		cmocka_unit_test(spread__splits_by_time),
		cmocka_unit_test(main__judges_expectations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
