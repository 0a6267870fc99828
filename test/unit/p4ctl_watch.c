// SPDX-License-Identifier: GPL-2.0-or-later
/* p4ctl_watch.c - p4ctl alloc top, explain, history: answers of the allocator to text, CSV and SVG */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocd.h"
#include "explain.h"
#include "history.h"
#include "top.h"

static char printed[1 << 20];

static FILE *paper;

static FILE *begin(void)
{
	memset(printed, 0, sizeof(printed));
	paper = fmemopen(printed, sizeof(printed) - 1, "w");
	assert_non_null(paper);
	return paper;
}

static void squeeze(void)	/* runs of blanks count as one */
{
	char *to = printed;

	fclose(paper);
	for (const char *from = printed; *from; from++)
		if (*from != ' ' || to == printed || to[-1] != ' ')
			*to++ = *from;
	*to = '\0';
}

static void has(const char *text)
{
	if (!strstr(printed, text))
		fail_msg("no \"%s\" in:\n%s", text, printed);
}

static struct json_object *parse(const char *text)
{
	struct json_object *o = json_tokener_parse(text);

	if (!o)
		fail_msg("no JSON: %s", text);
	return o;
}

/* ------------------------------------------------------------------------------------- top */

#define TENANT(id, state, blocks, block_us, grants, handovers, waiting) \
	"{\"id\":" #id ",\"name\":\"n" #id "\",\"state\":\"" state "\",\"blocks\":" blocks "," \
	"\"target\":3,\"wanted\":4,\"lease_us\":12500,\"waiting_us\":" #waiting ",\"why\":\"turn\"," \
	"\"believed\":97,\"block_us\":" #block_us ",\"waits\":{\"p50_us\":1500,\"p99_us\":9000}," \
	"\"counters\":{\"grants\":" #grants ",\"handovers\":" #handovers ",\"fences\":0}}"

static const char first[] =
	"{\"ok\":true,\"now_us\":1000000,\"switch\":\"up\",\"blocks\":10,\"used\":3,"
	"\"owners\":[3,3,0,0,0,0,0,0,3,99],\"tenants\":["
	TENANT(3, "held", "[0,1,8]", 1000000, 5, 2, 0) ","
	TENANT(7, "reserved", "[]", 500000, 0, 0, 2500) "]}";
static const char second[] =
	"{\"ok\":true,\"now_us\":3000000,\"switch\":\"up\",\"blocks\":10,\"used\":3,"
	"\"owners\":[3,3,7,7,0,0,0,0,3,0],\"tenants\":["
	TENANT(3, "held", "[0,1,8]", 7000000, 25, 6, 0) ","
	TENANT(7, "held", "[2,3]", 4500000, 1, 1, 0) "]}";

static void top__first_view_is_since_the_start(void **state)
{
	struct json_object *o = parse(first);

	top_print(NULL, o, begin());
	squeeze();
	has("switch up, 3 of 10 blocks held, 15.0 % over 1.0 s; 1 of 2 tenants wait");
	has("a second: 5.0 grants, 2.0 hand-overs");
	has(" 0 AA...... A?\n");
	has("A 3 n3 held 3 3 4 12.5 0.0 1.5 9.0 5.0 2.0 10.0 97 turn");
	has("B 7 n7 reserved 0 3 4 12.5 2.5 1.5 9.0 0 0 5.0 97 turn");
	json_object_put(o);
}

static void top__later_views_are_since_the_one_before(void **state)
{
	struct json_object *a = parse(first), *b = parse(second), *o;

	top_print(a, b, begin());
	squeeze();
	has("50.0 % over 2.0 s; 0 of 2 tenants wait");
	has(" 0 AABB.... A.\n");
	has("A 3 n3 held 3 3 4 12.5 0.0 1.5 9.0 10.0 2.0 30.0 97 turn");
	o = top_json(a, b);
	assert_true(json_object_get_double(json_object_object_get(o, "use")) == 0.5);
	assert_true(json_object_get_double(json_object_object_get(o, "grants_per_s")) == 10.5);
	json_object_put(o);
	top_print(b, a, begin());		/* the allocator was started again */
	squeeze();
	has("over 1.0 s");
	json_object_put(a);
	json_object_put(b);
}

static void top__cells_of_locks(void **state)
{
	struct json_object *a = parse(first), *t;

	t = json_object_array_get_idx(json_object_object_get(a, "tenants"), 0);
	json_object_object_add(t, "lock_block", json_object_new_int(8));
	json_object_object_add(t, "lock_cells", json_object_new_int(5));
	json_object_object_add(t, "locks", json_object_new_int(21));
	top_print(NULL, a, begin());
	squeeze();
	has(" 0 AA...... #?\n");
	allocd_print(a, 0, begin());
	squeeze();
	has(" 21 5 in 8\n");
	json_object_put(a);
}

static void top__nonsense_is_shown_as_nothing(void **state)
{
	static const char *const t[] = {
		"{}", "{\"tenants\":7,\"owners\":{}}", "{\"tenants\":[1,null,\"x\"],\"blocks\":-1}",
		"{\"now_us\":0,\"blocks\":0,\"tenants\":[{\"waits\":3,\"counters\":[]}],\"owners\":[]}",
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct json_object *o = parse(t[i]);

		top_print(o, o, begin());
		fclose(paper);
		has("blocks held, 0.0 %");
		json_object_put(top_json(NULL, o));
		explain_print(o, begin());
		fclose(paper);
		json_object_put(o);
	}
}

static void top__fits_the_screen(void **state)
{
	top_crop("one\ntwo is long\nthree\nfour", 5, 3, begin());
	fclose(paper);
	assert_string_equal(printed, "one\033[K\r\ntwo i\033[K\r\nthree\033[K");
	top_crop("a\nb\n", 0, 0, begin());
	fclose(paper);
	assert_string_equal(printed, "a\033[K\r\nb\033[K\r\n");
}

/* --------------------------------------------------------------------------------- explain */

static void explain__in_words(void **state)
{
	struct json_object *o = parse(
		"{\"tenant\":7,\"name\":\"sh\\u001bop\",\"batch\":12,\"number\":{\"min\":2,\"want\":3,"
		"\"together\":8,\"guaranteed\":1,\"most\":16,\"target\":2,\"held\":0,\"weight\":100,"
		"\"credit\":-1500000,\"factor\":800,\"hot\":50,\"price\":0.031,\"last_block\":0.3,"
		"\"next_block\":0.02,\"certificate\":{\"of_bound\":0.997,\"exact\":false}},"
		"\"declared\":[0,0.5,0.8,1],\"believed\":[0,0.5,0.7,0.75],"
		"\"check\":{\"batches\":9,\"believed\":75,\"off\":[0,0.3,0.9]},"
		"\"when\":{\"why\":\"turn\",\"lease_us\":null,\"start_us\":0,\"waited_us\":3200,"
		"\"wait_us\":7100,\"barred_us\":0,\"passed_over\":2,\"overrun\":110,\"free\":1,"
		"\"ahead\":[{\"tenant\":3,\"min_blocks\":4,\"start_us\":0}],"
		"\"holders\":[{\"tenant\":1,\"blocks\":6,\"lease_us\":-2000}]}}");

	explain_print(o, begin());
	squeeze();
	has("Tenant 7 sh?op, batch 12");
	has("How many: 2 (target) of 2 .. 3 asked for; it holds 0");
	has("1 guaranteed, 16 at most");
	has("credit of -1.500 block-seconds it counts 0.50-fold");
	has("all of its 8 accesses");
	has("a block costs it 3.10 % of what all 3 are worth");
	has("block 2 brings 30.00 %");
	has("block 3 would bring 2.00 %");
	has("at least 99.70 % of the best division");
	has("75 % of its worth is believed, after 9 counts");
	has("> 2 80.00 70.00 ############################\n");
	has("When: others' reservations come first");
	has("has waited 3.2 ms");
	has("was passed over 2 times");
	has("tenant 3, needs 4 blocks\n");
	has("tenant 1, 6 blocks, its lease ended 2.0 ms ago");
	json_object_put(o);
	o = parse("{\"tenant\":7,\"name\":\"a\",\"batch\":1,\"number\":null}");
	explain_print(o, begin());
	squeeze();
	has("holds nothing and has reserved nothing");
	json_object_put(o);
}

/* --------------------------------------------------------------------------------- history */

static struct history *read_pages(const char *const *page, const int *more)
{
	struct history *h = history_new();
	uint64_t since = 0;

	for (int i = 0; page[i]; i++) {
		struct json_object *o = parse(page[i]);

		assert_int_equal(history_add(h, o, &since), more[i]);
		json_object_put(o);
	}
	return h;
}

/* A tenant that appears on the second page, rows of one moment that are cut in two. */
static void history__pages_become_lines(void **state)
{
	static const char *const page[] = {
		"{\"now_us\":4000000,\"total\":8,\"tenants\":[3],\"more\":true,\"more_waiting\":false,"
		"\"history\":[[0,0,8,0],[1000000,4,8,4],[2000000,0,8,0]],"
		"\"waiting\":[[0,0],[1500000,1],[3500000,0]]}",
		"{\"now_us\":5000000,\"total\":8,\"tenants\":[2,3],\"more\":false,"
		"\"more_waiting\":false,\"history\":[[2000000,7,8,5,2],[4000000,2,8,0,2]],"
		"\"waiting\":[[2000000,1],[3500000,0]]}",
		NULL
	};
	static const int more[] = { 1, 0 };
	struct history *h = read_pages(page, more);
	struct json_object *o;

	history_csv(h, begin());
	fclose(paper);
	assert_string_equal(printed,
		"seconds,used,total,utilisation,waiting,tenant_2,tenant_3\n"
		"1.000000,4,8,0.0000,0,0,4\n"
		"1.500000,4,8,0.5000,1,0,4\n"
		"2.000000,7,8,0.5000,1,5,2\n"
		"3.500000,7,8,0.8750,0,5,2\n"
		"4.000000,2,8,0.8750,0,0,2\n"
		"5.000000,2,8,0.2500,0,0,2\n");
	o = history_json(h);
	assert_int_equal(json_object_array_length(json_object_object_get(o, "waiting")), 2);
	json_object_put(o);
	history_free(h);
}

/* One list was cut before the other: what is later in that one comes again. */
static void history__page_that_ends_with_the_waits(void **state)
{
	static const char *const page[] = {
		"{\"now_us\":4000000,\"total\":8,\"tenants\":[3],\"more\":false,\"more_waiting\":true,"
		"\"history\":[[0,0,8,0],[1000000,4,8,4],[3000000,6,8,6]],"
		"\"waiting\":[[0,0],[2000000,1]]}",
		"{\"now_us\":4000000,\"total\":8,\"tenants\":[3],\"more\":false,"
		"\"more_waiting\":false,\"history\":[[2000000,4,8,4],[3000000,6,8,6]],"
		"\"waiting\":[[2000000,1],[2500000,2]]}",
		NULL
	};
	static const int more[] = { 1, 0 };
	struct history *h = read_pages(page, more);
	struct json_object *o;

	history_csv(h, begin());
	fclose(paper);
	assert_string_equal(printed, "seconds,used,total,utilisation,waiting,tenant_3\n"
			    "1.000000,4,8,0.0000,0,4\n" "2.000000,4,8,0.5000,1,4\n"
			    "2.500000,4,8,0.5000,2,4\n" "3.000000,6,8,0.5000,2,6\n"
			    "4.000000,6,8,0.7500,2,6\n");
	o = history_json(h);
	assert_int_equal(json_object_array_length(json_object_object_get(o, "changes")), 2);
	json_object_put(o);
	history_free(h);
}

/* The next "LX YHX" of a path: its Y; below 0: there is none. */
static double next_y(const char **s)
{
	char *end;
	double y;

	if (**s != 'L')
		return -1;
	strtod(*s + 1, &end);
	y = strtod(end, &end);
	assert_int_equal(*end, 'H');
	strtod(end + 1, &end);
	*s = end;
	return y;
}

/* The share of the picture's upper part that is painted is the utilisation. */
static double painted(void)
{
	double area = 0;

	for (const char *at = printed; (at = strstr(at, "<path fill=\"#")); at++) {
		const char *s = strstr(at, "M60 340L");
		double top[800];

		assert_non_null(s);
		s += strlen("M60 340");
		for (int n = 0; n < 800; n++)
			top[n] = next_y(&s);
		for (int n = 799; n >= 0; n--)
			area += next_y(&s) - top[n];
		assert_int_equal(*s, 'Z');
	}
	return area / 800 / 300;
}

static void history__picture_shows_the_shares(void **state)
{
	static const char *const page[] = {
		"{\"now_us\":5000000,\"total\":8,\"tenants\":[2,3],\"more\":false,"
		"\"more_waiting\":false,\"history\":[[1000000,2,8,2,0],[2000000,6,8,2,4],"
		"[4000000,4,8,0,4]],\"waiting\":[[1000000,0],[2000000,3]]}",
		NULL
	};
	static const int more[] = { 0 };
	struct history *h = read_pages(page, more);
	double want = (2 + 6 * 2 + 4) / (4. * 8);

	history_svg(h, begin());
	fclose(paper);
	has("<svg xmlns=\"http://www.w3.org/2000/svg\"");
	has(">3</text>");
	assert_true(painted() > want - 0.001 && painted() < want + 0.001);
	assert_true(strlen(printed) < 100000);
	history_free(h);
}

/* 300 tenants that all hold a bit: 12 have colours, the picture stays small. */
static void history__many_tenants(void **state)
{
	struct json_object *o = json_object_new_object(), *ids = json_object_new_array();
	struct json_object *rows = json_object_new_array();
	struct history *h = history_new();
	uint64_t since = 0;

	for (int t = 1; t <= 300; t++)
		json_object_array_add(ids, json_object_new_int(t));
	for (int i = 0; i < 900; i++) {
		struct json_object *row = json_object_new_array();

		json_object_array_add(row, json_object_new_int(i * 1000));
		json_object_array_add(row, json_object_new_int(1));
		json_object_array_add(row, json_object_new_int(256));
		for (int t = 0; t < 300; t++)
			json_object_array_add(row, json_object_new_int(t == i % 300));
		json_object_array_add(rows, row);
	}
	json_object_object_add(o, "now_us", json_object_new_int(900000));
	json_object_object_add(o, "total", json_object_new_int(256));
	json_object_object_add(o, "tenants", ids);
	json_object_object_add(o, "history", rows);
	assert_int_equal(history_add(h, o, &since), 0);
	history_svg(h, begin());
	fclose(paper);
	has(">others</text>");
	assert_true(painted() > 0.0035 && painted() < 0.0042);		/* 1 of 256 */
	assert_true(strlen(printed) < 500000);
	json_object_put(o);
	history_free(h);
}

static void history__nonsense(void **state)
{
	static const struct { const char *page; int want; } t[] = {
		{ "{}", 0 }, { "{\"history\":5,\"waiting\":{},\"tenants\":null}", 0 },
		{ "{\"history\":[[1,2,3,4]],\"tenants\":[]}", -1 },
		{ "{\"history\":[null]}", -1 },
		{ "{\"history\":[],\"more\":true}", 1 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct history *h = history_new();
		struct json_object *o = parse(t[i].page);
		uint64_t since = 0;

		assert_int_equal(history_add(h, o, &since), t[i].want);
		if (t[i].want == 1)	/* it would never end */
			assert_int_equal(history_add(h, o, &since), -1);
		history_csv(h, begin());
		fclose(paper);
		history_svg(h, begin());
		fclose(paper);
		json_object_put(o);
		history_free(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(top__first_view_is_since_the_start),
		cmocka_unit_test(top__later_views_are_since_the_one_before),
		cmocka_unit_test(top__cells_of_locks),
		cmocka_unit_test(top__nonsense_is_shown_as_nothing),
		cmocka_unit_test(top__fits_the_screen),
		cmocka_unit_test(explain__in_words),
		cmocka_unit_test(history__pages_become_lines),
		cmocka_unit_test(history__page_that_ends_with_the_waits),
		cmocka_unit_test(history__picture_shows_the_shares),
		cmocka_unit_test(history__many_tenants),
		cmocka_unit_test(history__nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
