// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket as a client meets it; test/unit/switch_command.c has what commands refuse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "drive.h"

static bool is_ok(struct json_object *o)
{
	bool ok = json_object_get_boolean(json_object_object_get(o, "ok"));

	json_object_put(o);
	return ok;
}

static bool is_error(struct json_object *o, const char *field)
{
	const char *got = json_object_get_string(json_object_object_get(o, "field"));
	bool ok = json_object_get_boolean(json_object_object_get(o, "ok"));
	bool good = !ok && got && !strcmp(got, field) && json_object_object_get(o, "error");

	if (!good)
		printf("# %s\n", json_object_to_json_string(o));
	json_object_put(o);
	return good;
}

static void test_big_numbers(void)
{
	uint64_t got[2];

	ok_if(is_ok(control_ask("{\"cmd\":\"reg_write\",\"array\":\"owner\",\"indexes\":[2,0],"
				"\"values\":[18446744073709551615,9223372036854775808]}")),
	      "64 bits in");
	control_read("owner", 2, 1, &got[0]);
	control_read("owner", 0, 1, &got[1]);
	ok_if(got[0] == UINT64_MAX && got[1] == 1ull << 63, "64 bits out");
	set_owner(0, 1, 5);
	set_owner(2, 2, 6);
}

static void test_batch(void)
{
	struct json_object *o, *results;

	o = control_ask("{\"cmd\":\"batch\",\"cmds\":["
			"{\"cmd\":\"reg_write\",\"array\":\"r0\",\"index\":0,\"values\":[7]},"
			"{\"cmd\":\"reg_read\",\"array\":\"r0\",\"index\":0,\"count\":0}]}");
	ok_if(is_error(o, "cmds[1].count"), "a batch with a mistake");
	ok_if(state_agrees(), "does nothing of it");
	o = control_ask(
		"{\"cmd\":\"batch\",\"id\":[1],\"cmds\":["
		"{\"cmd\":\"reg_fill\",\"array\":\"r0\",\"index\":100,\"count\":3,\"value\":8},"
		"{\"cmd\":\"drain\"},"
		"{\"cmd\":\"reg_read\",\"array\":\"r0\",\"indexes\":[102,103]}]}");
	results = json_object_object_get(o, "results");
	for (int i = 100; i < 103; i++)
		model.cell[0][i] = 8;
	ok_if(json_object_array_length(results) == 3 &&
	      json_object_get_int(json_object_array_get_idx(json_object_object_get(
		json_object_array_get_idx(results, 2), "values"), 0)) == 8 &&
	      !strcmp(json_object_to_json_string_ext(json_object_object_get(o, "id"),
						     JSON_C_TO_STRING_PLAIN), "[1]"),
	      "a batch: results in order, with its id");
	json_object_put(o);
	ok_if(state_agrees(), "a batch: all arrays");
}

static void test_lines(void)
{
	static char line[200000];
	char path[] = "{\"cmd\":\"info\"}";

	memset(line, ' ', sizeof(line));
	memcpy(line, path, sizeof(path) - 1);
	ok_if(is_error(control_ask_bytes(line, sizeof(line)), ""), "a line that is too long");
	ok_if(is_ok(control_ask_bytes(line, 65535)),
	      "the longest line, and the connection goes on");
	ok_if(is_error(control_ask_bytes("{\"cmd\":\"info\"} {}", 17), ""),
	      "two objects in a line");
	ok_if(is_error(control_ask_bytes("\0", 1), ""), "a NUL");
	ok_if(is_error(control_ask("{\"cmd\":"), ""), "half an object");
	ok_if(is_error(control_ask("7"), ""), "a number");
}

/* Answers pile up until the switch reads no more from this client; it must go on with others. */
static void test_deaf_client(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char line[] = "{\"cmd\":\"counters\"}\n";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), i;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		abort();
	for (i = 0; i < 100000 && send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0; i++)
		;
	ok_if(i < 100000 && is_ok(control_ask("{\"cmd\":\"info\"}")),
	      "a client that reads no answers");
	close(fd);
	ok_if(is_ok(control_ask("{\"cmd\":\"info\"}")), "and one that goes away");
}

#define MAC	"\"table\":\"l2\",\"mac\":\"02:00:00:00:00:77\""

static void test_table(void)
{
	const char *shown = "{\"mac\":\"02:00:00:00:00:77\",\"port\":1}";
	struct json_object *o;

	ok_if(is_ok(control_ask("{\"cmd\":\"table_add\"," MAC ",\"port\":1}")),
	      "an address is added");
	o = control_ask("{\"cmd\":\"table_show\",\"table\":\"l2\"}");
	ok_if(strstr(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), shown),
	      "and shown");
	json_object_put(o);
	ok_if(is_ok(control_ask("{\"cmd\":\"table_del\"," MAC "}")), "and taken away");
	ok_if(is_error(control_ask("{\"cmd\":\"table_del\"," MAC "}"), "mac"), "once");
}

void test_control(const char *socket)
{
	test_big_numbers();
	test_batch();
	test_lines();
	test_table();
	test_deaf_client(socket);
	ok_if(state_agrees(), "control: all arrays");
}
