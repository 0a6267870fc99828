// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_watch.c - p4ctl alloc top, explain, history: asks the allocator's status socket, as often as it
 * takes, and shows.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cmd_watch.h"
#include "explain.h"
#include "history.h"
#include "jsock.h"
#include "member.h"
#include "output.h"
#include "top.h"

#define PAGE_ROWS	400	/* of 300 tenants: below what an answer may have */

static struct jsock *open_socket(const struct arg *path, struct diag *d)
{
	return jsock_open(path->given ? path->text : ALLOCD_SOCKET, "p4allocd", d);
}

static struct json_object *request(const char *cmd)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "cmd", json_object_new_string(cmd));
	return o;
}

static void put(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_uint64(value));
}

/* -------------------------------------------------------------------------------- explain */

enum { E_ID, E_ALLOCD };

const struct arg_spec alloc_explain_args[] = {
	[E_ID] = { .value = "ID", .type = ARG_NUMBER, .min = 1, .max = 0xffffff, .required = true,
		   .words = WORDS_TENANTS, .help = "the tenant" },
	[E_ALLOCD] = ALLOCD_ARG,
	{ 0 },
};

int alloc_explain_run(struct run *r, const struct arg *args)
{
	struct jsock *s = open_socket(&args[E_ALLOCD], r->d);
	struct json_object *ask, *answer;

	if (!s)
		return -1;
	ask = request("explain");
	put(ask, "tenant", args[E_ID].number);
	answer = jsock_ask(s, ask, r->d);
	jsock_close(s);
	if (!answer)
		return -1;
	if (r->json) {
		json_object_object_del(answer, "ok");
		output_json(r, answer);
		return 0;
	}
	explain_print(answer, r->out);
	json_object_put(answer);
	return 0;
}

/* -------------------------------------------------------------------------------- history */

enum { H_SINCE, H_CSV, H_SVG, H_ALLOCD };

const struct arg_spec alloc_history_args[] = {
	[H_SINCE] = { .word = "--since", .value = "TIME", .type = ARG_TIME, .min = 1,
		      .max = 86400000000, .help = "only the last TIME" },
	[H_CSV] = { .word = "--csv", .value = "FILE", .type = ARG_TEXT, .words = WORDS_FILES,
		    .help = "a line a change; - or neither: standard output" },
	[H_SVG] = { .word = "--svg", .value = "FILE", .type = ARG_TEXT, .words = WORDS_FILES,
		    .help = "a picture; - is standard output" },
	[H_ALLOCD] = ALLOCD_ARG,
	{ 0 },
};

static int read_history(struct jsock *s, uint64_t since, struct history *h, struct diag *d)
{
	struct json_object *ask, *answer;
	int more = 1;

	while (more > 0) {
		ask = request("history");
		put(ask, "since_us", since);
		put(ask, "limit", PAGE_ROWS);
		answer = jsock_ask(s, ask, d);
		if (!answer)
			return -1;
		more = history_add(h, answer, &since);
		json_object_put(answer);
	}
	return more ? fault(d, "p4allocd: its history makes no sense, or out of memory") : 0;
}

static int begin_of(struct jsock *s, const struct arg *back, uint64_t *since, struct diag *d)
{
	struct json_object *info;

	*since = 0;
	if (!back->given)
		return 0;
	info = jsock_ask(s, request("info"), d);
	if (!info)
		return -1;
	if ((uint64_t)member_number(info, "now_us") > back->number)
		*since = member_number(info, "now_us") - back->number;
	json_object_put(info);
	return 0;
}

static int write_to(struct run *r, const char *name, const struct history *h,
		    void (*print)(const struct history *h, FILE *out))
{
	FILE *f;

	if (!strcmp(name, "-")) {
		print(h, r->out);
		return 0;
	}
	f = fopen(name, "w");
	if (!f)
		return fault(r->d, "%s: %s", name, strerror(errno));
	print(h, f);
	return fclose(f) ? fault(r->d, "%s: %s", name, strerror(errno)) : 0;
}

int alloc_history_run(struct run *r, const struct arg *args)
{
	const char *csv = args[H_CSV].given ? args[H_CSV].text : args[H_SVG].given ? NULL : "-";
	struct jsock *s = open_socket(&args[H_ALLOCD], r->d);
	struct history *h = history_new();
	uint64_t since;
	int ret;

	if (!s || !h) {
		jsock_close(s);
		history_free(h);
		return s ? fault(r->d, "out of memory") : -1;
	}
	ret = begin_of(s, &args[H_SINCE], &since, r->d);
	ret = ret ? ret : read_history(s, since, h, r->d);
	if (!ret && r->json)
		output_json_line(r, history_json(h));
	else if (!ret && csv)
		ret = write_to(r, csv, h, history_csv);
	if (!ret && args[H_SVG].given)
		ret = write_to(r, args[H_SVG].text, h, history_svg);
	history_free(h);
	jsock_close(s);
	return ret;
}

/* ------------------------------------------------------------------------------------ top */

enum { T_DELAY, T_COUNT, T_ALLOCD };

const struct arg_spec alloc_top_args[] = {
	[T_DELAY] = { .word = "--delay", .brief = "-d", .value = "TIME", .type = ARG_TIME,
		      .min = 10000, .max = 3600000000, .help = "between two views; default 1s" },
	[T_COUNT] = COUNT_ARG("end after N views"),
	[T_ALLOCD] = ALLOCD_ARG,
	{ 0 },
};

static struct termios cooked;
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

/* The other screen, no cursor, keys at once. Only of a terminal. */
static void take_terminal(FILE *out)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct termios raw;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	if (!tcgetattr(STDIN_FILENO, &cooked)) {
		raw = cooked;
		raw.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l", out);
}

static void give_terminal_back(FILE *out)
{
	fputs("\033[?25h\033[?1049l", out);
	fflush(out);
	if (isatty(STDIN_FILENO))
		tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

/* Time passes, or a key or a signal says that it is enough: false. */
static bool pause_for(uint64_t us, bool keys)
{
	struct pollfd p = { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN };
	struct timespec now, until;
	int64_t left;
	char key;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += us / 1000000;
	until.tv_nsec += us % 1000000 * 1000;
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = (until.tv_sec - now.tv_sec) * 1000 + (until.tv_nsec - now.tv_nsec) / 1000000;
		if (stopped || left <= 0)
			return !stopped;
		if (poll(&p, 1, left) == 1 && (read(p.fd, &key, 1) != 1 || key == 'q'))
			return false;
	}
}

static void show_screen(struct json_object *before, struct json_object *now, FILE *out)
{
	struct winsize size = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	top_print(before, now, f);
	fclose(f);
	ioctl(fileno(out), TIOCGWINSZ, &size);
	fputs("\033[H", out);
	top_crop(text, size.ws_col, size.ws_row, out);
	fputs("\033[J", out);
	free(text);
}

static void show_top(struct run *r, struct json_object *before, struct json_object *now,
		     bool screen)
{
	if (r->json) {
		output_json_line(r, top_json(before, now));
	} else if (screen) {
		show_screen(before, now, r->out);
	} else {
		if (before)
			fputc('\n', r->out);
		top_print(before, now, r->out);
	}
	fflush(r->out);
}

static int watch(struct run *r, const struct arg *args, struct jsock *s, bool screen)
{
	uint64_t left = args[T_COUNT].given ? args[T_COUNT].number : UINT64_MAX;
	uint64_t delay = args[T_DELAY].given ? args[T_DELAY].number : 1000000;
	bool keys = screen && isatty(STDIN_FILENO);
	struct json_object *before = NULL, *now;
	int ret = 0;

	while (!ret && left--) {
		now = jsock_ask(s, request("show"), r->d);
		if (!now) {
			ret = -1;
			break;
		}
		show_top(r, before, now, screen);
		json_object_put(before);
		before = now;
		if (ferror(r->out))
			ret = fault(r->d, "output: write error");
		else if (left && !pause_for(delay, keys))
			break;
	}
	json_object_put(before);
	return ret;
}

int alloc_top_run(struct run *r, const struct arg *args)
{
	bool screen = !r->json && isatty(fileno(r->out));
	struct jsock *s = open_socket(&args[T_ALLOCD], r->d);
	int ret;

	if (!s)
		return -1;
	if (screen)
		take_terminal(r->out);
	ret = watch(r, args, s, screen);
	if (screen)
		give_terminal_back(r->out);
	jsock_close(s);
	return ret;
}
