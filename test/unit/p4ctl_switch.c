// SPDX-License-Identifier: GPL-2.0-or-later
/* p4ctl_switch.c - p4ctl switch show: no answer of the other side is fatal, however wrong */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "cmd.h"

/* What the other side says to each request: by its "cmd". */
struct says {
	const char *info, *counters, *table_show, *batch;
};

static char path[64];

static const char *answer_to(const struct says *says, const char *line)
{
	const char *answer = strstr(line, "\"info\"") ? says->info :
			     strstr(line, "\"counters\"") ? says->counters :
			     strstr(line, "\"table_show\"") ? says->table_show : says->batch;

	return answer ? answer : "{\"ok\":true}";
}

static void serve(int listener, const struct says *says)
{
	int s = accept(listener, NULL, NULL);
	FILE *in = fdopen(s, "r"), *out = fdopen(dup(s), "w");
	char line[4096];

	while (in && out && fgets(line, sizeof(line), in)) {
		fprintf(out, "%s\n", answer_to(says, line));
		fflush(out);
	}
	_exit(0);
}

static pid_t start(const struct says *says)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	snprintf(path, sizeof(path), "/tmp/p4ctl_switch.%d", getpid());
	strcpy(addr.sun_path, path);
	unlink(path);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = fork();
	if (!pid)
		serve(listener, says);
	close(listener);
	return pid;
}

/* What the command prints, or its error; its status in *ret. */
static const char *show(const struct says *says, int *ret)
{
	const struct arg socket_is = { .given = true, .text = path };
	static char printed[1 << 16];
	pid_t pid = start(says);
	struct diag d = { 0 };
	struct run r = { .d = &d };

	memset(printed, 0, sizeof(printed));
	r.out = fmemopen(printed, sizeof(printed) - 1, "w");
	*ret = switch_cmds[0].run(&r, &socket_is);
	fclose(r.out);
	waitpid(pid, NULL, 0);
	unlink(path);
	return *ret ? memcpy(printed, d.text, sizeof(d.text)) : printed;
}

#define INFO	"{\"ok\":true,\"blocks\":2,\"program\":\"p4db\"}"
#define CELLS	"{\"values\":[0,0]}"

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void shows(const struct says *says, const char *part)
{
	int ret;

	has(show(says, &ret), part);
	assert_int_equal(ret, 0);
}

static void refuses(const struct says *says, const char *part)
{
	int ret;

	has(show(says, &ret), part);
	assert_int_equal(ret, -1);
}

static void show__lists_that_are_none(void **state)
{
	const struct says says = {
		INFO, "{\"ok\":true,\"ports\":5,\"counters\":[1]}", "{\"ok\":true,\"entries\":\"x\"}",
		"{\"ok\":true,\"results\":[" CELLS "," CELLS "," CELLS "]}",
	};

	shows(&says, "program p4db");
}

static void show__entries_that_are_no_objects(void **state)
{
	const struct says says = {
		INFO, "{\"ok\":true,\"ports\":[7,null,{\"name\":\"p1\"}]}",
		"{\"ok\":true,\"entries\":[[],{\"port\":3}]}",
		"{\"ok\":true,\"results\":[" CELLS "," CELLS "," CELLS "]}",
	};

	shows(&says, "p1");
}

static void show__cells_that_lack_are_refused(void **state)
{
	const struct says none = { INFO, NULL, NULL, "{\"ok\":true,\"results\":[" CELLS "]}" };
	const struct says few = { INFO, NULL, NULL,
				  "{\"ok\":true,\"results\":[" CELLS ",{\"values\":[0]}," CELLS "]}" };

	refuses(&none, "no list 'values'");
	refuses(&few, "1 cells instead of 2");
}

static void show__blocks_are_bounded(void **state)
{
	const struct says many = { .info = "{\"ok\":true,\"blocks\":4000000000}" };

	refuses(&many, "4000000000 blocks; possible: 1..");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(show__lists_that_are_none),
		cmocka_unit_test(show__entries_that_are_no_objects),
		cmocka_unit_test(show__cells_that_lack_are_refused),
		cmocka_unit_test(show__blocks_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
