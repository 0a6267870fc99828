// SPDX-License-Identifier: GPL-2.0-or-later
/* http.c - see http.h. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"
#include "jsonline.h"
#include "loop.h"

struct client {
	struct p4d_watch watch;		/* first; fd -1: free */
	struct p4d_http *http;
	uint64_t until;
	char head[HTTP_HEAD + 1];
	size_t got;
	char *answer;			/* NULL: the request is not complete */
	size_t len, sent;
};

struct p4d_http {
	struct p4d_watch listen;	/* first */
	struct p4d_timer timer;
	struct p4d_loop *loop;
	char *path;			/* of a Unix socket, or NULL */
	void (*page)(void *arg, FILE *f);
	void *arg;
	struct client client[HTTP_CLIENTS];
};

/* --------------------------------------------------------------------------------- clients */

static void set_timer(struct p4d_http *h)
{
	h->timer.at = UINT64_MAX;
	for (int i = 0; i < HTTP_CLIENTS; i++)
		if (h->client[i].watch.fd >= 0 && h->client[i].until < h->timer.at)
			h->timer.at = h->client[i].until;
}

static void drop(struct client *c)
{
	if (c->watch.fd < 0)
		return;
	p4d_loop_unwatch(c->http->loop, &c->watch);
	close(c->watch.fd);
	free(c->answer);
	c->watch.fd = -1;
	c->answer = NULL;
	c->got = c->len = c->sent = 0;
	set_timer(c->http);
}

static void on_time(struct p4d_timer *t)
{
	struct p4d_http *h = (struct p4d_http *)((char *)t - offsetof(struct p4d_http, timer));
	uint64_t now = p4d_now();

	for (int i = 0; i < HTTP_CLIENTS; i++)
		if (h->client[i].until <= now)
			drop(&h->client[i]);
	set_timer(h);
}

/* --------------------------------------------------------------------------------- answers */

static void answer(struct client *c, const char *status, const char *type, const char *body,
		   size_t len, bool with_body)
{
	FILE *f = open_memstream(&c->answer, &c->len);

	if (!f)
		abort();
	fprintf(f, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\n%s\r\n", status, type, len,
		!strncmp(status, "405", 3) ? "Allow: GET, HEAD\r\n" : "");
	if (with_body)
		fwrite(body, 1, len, f);
	if (fclose(f))
		abort();
}

static void answer_text(struct client *c, const char *status, bool with_body)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s\n", status);

	answer(c, status, "text/plain; charset=utf-8", text, n, with_body);
}

static void answer_page(struct client *c, bool with_body)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
	c->http->page(c->http->arg, f);
	if (fclose(f))
		abort();
	answer(c, "200 OK", "text/plain; version=0.0.4; charset=utf-8", text, len, with_body);
	free(text);
}

/* The request line alone decides: what else a client says about itself changes nothing. */
static void answer_request(struct client *c)
{
	char method[8], path[256], version[16];
	bool head;

	if (sscanf(c->head, "%7[A-Z] %255[^ \r\n] %15[^ \r\n]", method, path, version) != 3 ||
	    strncmp(version, "HTTP/1.", 7)) {
		answer_text(c, "400 Bad Request", true);
		return;
	}
	head = !strcmp(method, "HEAD");
	path[strcspn(path, "?")] = '\0';
	if (!head && strcmp(method, "GET"))
		answer_text(c, "405 Method Not Allowed", true);
	else if (strcmp(path, "/metrics"))
		answer_text(c, "404 Not Found: try /metrics", !head);
	else
		answer_page(c, !head);
}

static void transmit(struct client *c)
{
	while (c->sent < c->len) {
		ssize_t n = send(c->watch.fd, c->answer + c->sent, c->len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			break;
		c->sent += n;
	}
	drop(c);
}

static bool is_complete(const struct client *c)
{
	return strstr(c->head, "\r\n\r\n") || strstr(c->head, "\n\n");
}

static void take_in(struct client *c)
{
	ssize_t n = recv(c->watch.fd, c->head + c->got, HTTP_HEAD - c->got, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->got += n;
	c->head[c->got] = '\0';
	if (strlen(c->head) < c->got)
		answer_text(c, "400 Bad Request", true);
	else if (is_complete(c))
		answer_request(c);
	else if (c->got == HTTP_HEAD)
		answer_text(c, "431 Request Header Fields Too Large", true);
	if (c->answer)
		p4d_loop_watch(c->http->loop, &c->watch, EPOLLOUT);
}

static void on_client(struct p4d_watch *w, uint32_t events)
{
	struct client *c = (struct client *)w;

	if (c->answer)
		transmit(c);
	else
		take_in(c);
}

/* A free place, or that of who has had one for longest. */
static struct client *make_place(struct p4d_http *h)
{
	struct client *oldest = h->client;

	for (struct client *c = h->client; c < h->client + HTTP_CLIENTS; c++) {
		if (c->watch.fd < 0)
			return c;
		if (c->until < oldest->until)
			oldest = c;
	}
	drop(oldest);
	return oldest;
}

static void on_listen(struct p4d_watch *w, uint32_t events)
{
	struct p4d_http *h = (struct p4d_http *)w;
	int fd = p4d_loop_accept(h->loop, w->fd);
	struct client *c;

	if (fd < 0)
		return;
	c = make_place(h);
	c->watch = (struct p4d_watch){ fd, on_client };
	c->until = p4d_now() + HTTP_US;
	set_timer(h);
	if (p4d_loop_watch(h->loop, &c->watch, EPOLLIN))
		drop(c);
}

/* --------------------------------------------------------------------------- open and close */

/* Splits [ADDRESS:]PORT in place; an IPv6 address stands in brackets. */
static void split(char *text, const char **address, const char **port)
{
	char *colon = strrchr(text, ':');

	*address = "127.0.0.1";
	*port = text;
	if (!colon)
		return;
	*colon = '\0';
	*port = colon + 1;
	*address = text;
	if (*text == '[' && text[strlen(text) - 1] == ']') {
		text[strlen(text) - 1] = '\0';
		*address = text + 1;
	}
}

static int listen_at(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	int err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, HTTP_CLIENTS))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int tcp_listen(const char *where)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM,
	};
	char *text = strdup(where);
	struct addrinfo *found;
	const char *address, *port;
	int fd = -EINVAL;

	if (!text)
		return -ENOMEM;
	split(text, &address, &port);
	if (*port && strspn(port, "0123456789") == strlen(port) && strlen(port) < 6 &&
	    atoi(port) >= 1 && atoi(port) <= 65535 &&
	    !getaddrinfo(address, port, &hints, &found)) {
		fd = listen_at(found);
		freeaddrinfo(found);
	}
	free(text);
	return fd;
}

int p4d_http_open(struct p4d_http **out, struct p4d_loop *loop, const char *where,
		  void (*page)(void *arg, FILE *f), void *arg, char *err, size_t size)
{
	bool is_path = strchr(where, '/');
	struct p4d_http *h = calloc(1, sizeof(*h));
	int fd;

	if (!h)
		return -ENOMEM;
	fd = is_path ? p4d_unix_listen(where, 0666) : tcp_listen(where);
	if (fd < 0) {
		snprintf(err, size, "metrics at %s: %s", where, fd == -EINVAL ?
			 "must be a path with a /, PORT or ADDRESS:PORT, port 1 .. 65535" :
			 strerror(-fd));
		free(h);
		return fd;
	}
	h->path = is_path ? strdup(where) : NULL;
	h->loop = loop;
	h->page = page;
	h->arg = arg;
	h->listen = (struct p4d_watch){ fd, on_listen };
	h->timer = (struct p4d_timer){ .at = UINT64_MAX, .due = on_time };
	for (int i = 0; i < HTTP_CLIENTS; i++) {
		h->client[i].watch.fd = -1;
		h->client[i].until = UINT64_MAX;
		h->client[i].http = h;
	}
	p4d_loop_timer(loop, &h->timer);
	*out = h;
	return p4d_loop_watch(loop, &h->listen, EPOLLIN);
}

void p4d_http_close(struct p4d_http *h)
{
	if (!h)
		return;
	for (int i = 0; i < HTTP_CLIENTS; i++)
		drop(&h->client[i]);
	p4d_loop_unwatch(h->loop, &h->listen);
	close(h->listen.fd);
	if (h->path)
		unlink(h->path);
	free(h->path);
	free(h);
}
