// SPDX-License-Identifier: GPL-2.0-or-later
/* jsonline.c - see jsonline.h. Blocking; one request at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "jsonline.h"

struct jsonline {
	FILE *in;
	int fd;
	char *line;
	size_t room;
	char error[200];
};

struct jsonline *jsonline_open(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct jsonline *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	j->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (j->fd < 0)
		goto undo_memory;
	if (connect(j->fd, (struct sockaddr *)&a, sizeof(a)))
		goto undo_socket;
	j->in = fdopen(j->fd, "r");
	if (j->in)
		return j;
undo_socket:
	close(j->fd);
undo_memory:
	free(j);
	return NULL;
}

void jsonline_close(struct jsonline *j)
{
	if (!j)
		return;
	fclose(j->in);
	free(j->line);
	free(j);
}

const char *jsonline_error(const struct jsonline *j)
{
	return j->error;
}

static int send_line(struct jsonline *j, const char *text)
{
	size_t len = strlen(text);
	char *line = malloc(len + 1);
	ssize_t n = -1;

	if (line) {
		memcpy(line, text, len);
		line[len] = '\n';
		n = send(j->fd, line, len + 1, MSG_NOSIGNAL);
	}
	free(line);
	return n == (ssize_t)len + 1 ? 0 : -EIO;
}

static struct json_object *refuse(struct jsonline *j, struct json_object *answer, const char *why)
{
	snprintf(j->error, sizeof(j->error), "%s", why);
	json_object_put(answer);
	return NULL;
}

struct json_object *jsonline_ask(struct jsonline *j, const char *request)
{
	struct json_object *answer;
	const char *why;

	if (send_line(j, request) || getline(&j->line, &j->room, j->in) <= 0)
		return refuse(j, NULL, "the connection broke");
	answer = json_tokener_parse(j->line);
	if (!json_object_is_type(answer, json_type_object))
		return refuse(j, answer, "the answer is no JSON object");
	if (!json_object_get_boolean(json_member(answer, "ok"))) {
		why = json_object_get_string(json_member(answer, "error"));
		return refuse(j, answer, why ? why : "refused without a reason");
	}
	return answer;
}

struct json_object *json_member(struct json_object *o, const char *name)
{
	struct json_object *m = NULL;

	json_object_object_get_ex(o, name, &m);
	return m;
}

uint64_t json_number(struct json_object *o, const char *name)
{
	return json_object_get_uint64(json_member(o, name));
}

uint64_t json_at(struct json_object *array, size_t i)
{
	return json_object_get_uint64(json_object_array_get_idx(array, i));
}
