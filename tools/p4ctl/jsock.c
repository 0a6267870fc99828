// SPDX-License-Identifier: GPL-2.0-or-later
/* jsock.c - see jsock.h */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "jsock.h"

#define ANSWER_MAX	(1 << 20)	/* bytes; twice what 4096 cells can need, and more */
#define WAIT_MS		30000		/* a rack in an emulator is slow */

struct jsock {
	int fd;
	const char *who;
	size_t used;
	char buf[ANSWER_MAX];
};

static int unreachable(const char *path, const char *who, int err, struct diag *d)
{
	const char *hint = err == EACCES ? "root only" :
			   err == ENOENT || err == ECONNREFUSED ? "is it running?" : "";

	return fault(d, "cannot reach %s at %s: %s%s%s", who, path, strerror(err),
		     *hint ? "; " : "", hint);
}

struct jsock *jsock_open(const char *path, const char *who, struct diag *d)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct jsock *s;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		fault_usage(d, "socket: the path has %zu bytes; accepted: 1..%zu", strlen(path),
			    sizeof(addr.sun_path) - 1);
		return NULL;
	}
	strcpy(addr.sun_path, path);
	s = malloc(sizeof(*s));
	if (!s) {
		fault(d, "out of memory");
		return NULL;
	}
	s->who = who;
	s->used = 0;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&addr, sizeof(addr))) {
		unreachable(path, who, errno, d);
		jsock_close(s);
		return NULL;
	}
	return s;
}

void jsock_close(struct jsock *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static int send_all(struct jsock *s, const char *text, size_t len, struct diag *d)
{
	ssize_t n;

	for (; len; text += n, len -= n) {
		n = send(s->fd, text, len, MSG_NOSIGNAL);
		if (n < 0)
			return fault(d, "%s: cannot send: %s", s->who, strerror(errno));
	}
	return 0;
}

/* Reads up to the end of a line, which becomes the end of a string. */
static int receive_line(struct jsock *s, struct diag *d)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	ssize_t n;

	for (s->used = 0; !s->used || s->buf[s->used - 1] != '\n'; s->used += n) {
		if (s->used == sizeof(s->buf))
			return fault(d, "%s: the answer has more than %d bytes", s->who,
				     ANSWER_MAX);
		if (poll(&p, 1, WAIT_MS) == 0)
			return fault(d, "%s: no answer for %d seconds", s->who, WAIT_MS / 1000);
		n = recv(s->fd, s->buf + s->used, sizeof(s->buf) - s->used, 0);
		if (n < 0)
			return fault(d, "%s: cannot receive: %s", s->who, strerror(errno));
		if (!n)
			return fault(d, "%s: the connection was closed without an answer", s->who);
	}
	s->buf[s->used - 1] = '\0';
	return 0;
}

static struct json_object *take_answer(struct jsock *s, struct diag *d)
{
	struct json_object *answer = json_tokener_parse(s->buf), *ok, *error;

	if (!json_object_is_type(answer, json_type_object)) {
		fault(d, "%s: the answer is not a JSON object: %.60s", s->who, s->buf);
	} else if (json_object_object_get_ex(answer, "ok", &ok) && !json_object_get_boolean(ok)) {
		error = json_object_object_get(answer, "error");
		fault(d, "%s refuses: %s", s->who,
		      error ? json_object_get_string(error) : "no reason given");
	} else {
		return answer;
	}
	json_object_put(answer);
	return NULL;
}

struct json_object *jsock_ask(struct jsock *s, struct json_object *request, struct diag *d)
{
	size_t len;
	const char *text = json_object_to_json_string_length(request, JSON_C_TO_STRING_PLAIN, &len);
	int ret;

	ret = send_all(s, text, len, d) || send_all(s, "\n", 1, d) || receive_line(s, d);
	json_object_put(request);
	return ret ? NULL : take_answer(s, d);
}
