// SPDX-License-Identifier: GPL-2.0-or-later
/* jsonline.c - see jsonline.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "jsonline.h"

void p4d_lines_open(struct p4d_lines *l, struct p4d_loop *loop, int fd, size_t max,
		    void (*ready)(struct p4d_watch *w, uint32_t events))
{
	*l = (struct p4d_lines){ .watch = { fd, ready }, .loop = loop, .max = max };
	p4d_loop_watch(loop, &l->watch, EPOLLIN);
}

void p4d_lines_close(struct p4d_lines *l)
{
	if (l->watch.fd < 0)
		return;
	p4d_loop_unwatch(l->loop, &l->watch);
	close(l->watch.fd);
	l->watch.fd = -1;
	free(l->in);
	free(l->out);
	l->in = l->out = NULL;
	l->nr_in = l->nr_out = l->out_sent = l->in_room = l->out_room = 0;
}

static void grow(char **buf, size_t *room, size_t need)
{
	if (*room >= need)
		return;
	*room = need > 2 * *room ? need : 2 * *room;
	*buf = realloc(*buf, *room);
	if (!*buf)
		abort();
}

size_t p4d_lines_pending(const struct p4d_lines *l)
{
	return l->nr_out - l->out_sent;
}

/* A reader that is never done must not make the buffer ever longer. */
static void drop_sent(struct p4d_lines *l)
{
	size_t pending = p4d_lines_pending(l);

	if (l->out_sent <= pending)
		return;
	memmove(l->out, l->out + l->out_sent, pending);
	l->nr_out = pending;
	l->out_sent = 0;
}

void p4d_lines_send(struct p4d_lines *l, struct json_object *o)
{
	size_t len;
	const char *text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &len);

	if (l->watch.fd >= 0) {
		drop_sent(l);
		grow(&l->out, &l->out_room, l->nr_out + len + 1);
		memcpy(l->out + l->nr_out, text, len);
		l->out[l->nr_out + len] = '\n';
		l->nr_out += len + 1;
		p4d_loop_watch(l->loop, &l->watch, EPOLLIN | EPOLLOUT);
	}
	json_object_put(o);
}

static int flush(struct p4d_lines *l)
{
	while (l->out_sent < l->nr_out) {
		ssize_t n = send(l->watch.fd, l->out + l->out_sent, l->nr_out - l->out_sent,
				 MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
		l->out_sent += n;
	}
	l->nr_out = l->out_sent = 0;
	p4d_loop_watch(l->loop, &l->watch, EPOLLIN);
	return 0;
}

/* Hands on each complete line; false if the callback closed the connection. */
static bool hand_on(struct p4d_lines *l, void (*line)(struct p4d_lines *l, char *text))
{
	size_t start = 0;
	char *end;

	while ((end = memchr(l->in + start, '\n', l->nr_in - start))) {
		char *text = l->in + start;

		*end = '\0';
		start = end - l->in + 1;
		line(l, text);
		if (l->watch.fd < 0)
			return false;
	}
	l->nr_in -= start;
	memmove(l->in, l->in + start, l->nr_in);
	return true;
}

static int take_in(struct p4d_lines *l, void (*line)(struct p4d_lines *l, char *text))
{
	ssize_t n;

	for (;;) {
		if (l->nr_in >= l->max)
			return -EMSGSIZE;
		grow(&l->in, &l->in_room, l->nr_in + 4096);
		n = recv(l->watch.fd, l->in + l->nr_in, l->in_room - l->nr_in, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
		l->nr_in += n;
		if (!hand_on(l, line))
			return 0;
	}
}

int p4d_lines_io(struct p4d_lines *l, uint32_t events,
		 void (*line)(struct p4d_lines *l, char *text))
{
	int err = 0;

	if (events & EPOLLOUT)
		err = flush(l);
	if (!err && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		err = take_in(l, line);
	return err;
}

static int unix_address(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	strcpy(a->sun_path, path);
	return 0;
}

static int fail_with(int fd)
{
	int err = -errno;

	close(fd);
	return err;
}

int p4d_unix_connect(const char *path)
{
	struct sockaddr_un a;
	int err = unix_address(&a, path);
	int fd = err ? err : socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (err || fd < 0)
		return err ? err : -errno;
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? fail_with(fd) : fd;
}

/* A socket file that nobody listens on is of a daemon that was killed: it may go. */
static void remove_stale(const char *path)
{
	int fd = p4d_unix_connect(path);

	if (fd >= 0)
		close(fd);
	else if (fd == -ECONNREFUSED)
		unlink(path);
}

int p4d_unix_listen(const char *path, unsigned int mode)
{
	struct sockaddr_un a;
	int err = unix_address(&a, path);
	int fd = err ? err : socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (err || fd < 0)
		return err ? err : -errno;
	remove_stale(path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || chmod(path, mode) || listen(fd, 16))
		return fail_with(fd);
	return fd;
}
