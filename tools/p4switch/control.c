// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * control.c - a client that does not read its answers is not read from either, so what it can make
 * this process hold is one line and its answer. A line that is too long is skipped and
 * answered with an error.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "command.h"
#include "control.h"

#define CLIENTS	32

struct client {
	int fd;
	uint64_t active;	/* when it last said or took something: see control.turn */
	size_t nr_in;
	bool skipping;		/* the rest of a line that was too long */
	char *out;		/* NULL: nothing to be sent */
	size_t nr_out, sent;
	char in[COMMAND_LINE];
};

static struct {
	int fd;
	struct sockaddr_un addr;
	struct client *client[CLIENTS];	/* served in order of their coming: see control.h */
	uint64_t turn;			/* counts what clients do */
	struct pollfd poll[CLIENTS + 1];
} control = { .fd = -1 };

static int bind_socket(const char *path)
{
	struct sockaddr_un *a = &control.addr;
	int probe;

	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	if (!bind(control.fd, (struct sockaddr *)a, sizeof(*a)))
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	/* left behind by a switch that was killed, or does one answer there? */
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (probe < 0 || !connect(probe, (struct sockaddr *)a, sizeof(*a)) ||
	    errno != ECONNREFUSED) {
		close(probe);
		return -EADDRINUSE;
	}
	close(probe);
	unlink(path);
	return bind(control.fd, (struct sockaddr *)a, sizeof(*a)) ? -errno : 0;
}

int control_open(const char *path, char *err, unsigned int err_size)
{
	int ret;

	if (!*path || strlen(path) >= sizeof(control.addr.sun_path)) {
		snprintf(err, err_size, "--socket: a path of 1 .. %zu characters",
			 sizeof(control.addr.sun_path) - 1);
		return -EINVAL;
	}
	control.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ret = control.fd < 0 ? -errno : bind_socket(path);
	if (!ret && (chmod(path, 0600) || listen(control.fd, CLIENTS)))
		ret = -errno;
	if (ret) {
		snprintf(err, err_size, "--socket %s: %s", path, strerror(-ret));
		if (control.fd >= 0)
			close(control.fd);
		control.fd = -1;
	}
	return ret;
}

static void close_client(int i)
{
	close(control.client[i]->fd);
	free(control.client[i]->out);
	free(control.client[i]);
	control.client[i] = NULL;
}

void control_close(void)
{
	for (int i = 0; i < CLIENTS; i++)
		if (control.client[i])
			close_client(i);
	if (control.fd >= 0) {
		close(control.fd);
		unlink(control.addr.sun_path);
		control.fd = -1;
	}
}

/* How many there are, the one that came first in the first place. */
static int close_ranks(void)
{
	int n = 0;

	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = control.client[i];

		control.client[i] = NULL;
		if (c)
			control.client[n++] = c;
	}
	return n;
}

/* Who has been idle for longest goes, so that nobody is kept out by those who say nothing. */
static void make_place(void)
{
	int idle = 0;

	for (int i = 1; i < CLIENTS; i++)
		if (control.client[i]->active < control.client[idle]->active)
			idle = i;
	close_client(idle);
}

static void accept_client(void)
{
	int fd = accept4(control.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;
	int i;

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	if (close_ranks() == CLIENTS)
		make_place();
	i = close_ranks();
	c->fd = fd;
	c->active = ++control.turn;
	control.client[i] = c;
}

/* False: the connection is over. */
static bool send_out(struct client *c)
{
	ssize_t n = send(c->fd, c->out + c->sent, c->nr_out - c->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->sent += n;
	if (c->sent == c->nr_out) {
		free(c->out);
		c->out = NULL;
	}
	return true;
}

static bool answer(struct client *c, char *line)
{
	c->out = line;
	c->nr_out = strlen(line);
	c->sent = 0;
	return send_out(c);
}

static bool run_line(struct client *c, struct target *t, size_t length)
{
	bool skip = c->skipping;

	c->skipping = false;
	return skip || answer(c, command_run(t, c->in, length));
}

/* Runs the lines that are there, as long as answers can be sent. */
static bool run_lines(struct client *c, struct target *t)
{
	char *end;

	while (!c->out && (end = memchr(c->in, '\n', c->nr_in))) {
		size_t length = end - c->in;

		if (!run_line(c, t, length))
			return false;
		c->nr_in -= length + 1;
		memmove(c->in, end + 1, c->nr_in);
	}
	if (c->nr_in < sizeof(c->in) || c->out)
		return true;
	c->nr_in = 0;
	if (c->skipping)
		return true;
	c->skipping = true;
	return answer(c, command_refuse("the line is longer than 65536 bytes", ""));
}

static bool serve(struct client *c, struct target *t)
{
	ssize_t n;

	c->active = ++control.turn;
	if (c->out && !send_out(c))
		return false;
	if (c->out)
		return true;
	n = recv(c->fd, c->in + c->nr_in, sizeof(c->in) - c->nr_in, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;
	if (n > 0)
		c->nr_in += n;
	return run_lines(c, t);
}

bool control_wait(unsigned int us, const sigset_t *mask)
{
	struct timespec timeout = { .tv_nsec = us * 1000L };

	control.poll[CLIENTS] = (struct pollfd){ .fd = control.fd, .events = POLLIN };
	for (int i = 0; i < CLIENTS; i++) {
		const struct client *c = control.client[i];

		control.poll[i] = (struct pollfd){ .fd = c ? c->fd : -1,
						   .events = c && c->out ? POLLOUT : POLLIN };
	}
	return ppoll(control.poll, CLIENTS + 1, &timeout, mask) > 0;
}

void control_serve(struct target *t)
{
	for (int i = 0; i < CLIENTS; i++)
		if (control.poll[i].revents && !serve(control.client[i], t))
			close_client(i);
	if (control.poll[CLIENTS].revents)
		accept_client();
}
