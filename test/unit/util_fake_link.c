// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Links without a network: the nodes of a test are threads of one process, a port is a queue. Every
 * message arrives once and at once; but every fake_link_lose-th answer is lost, and the request
 * reported as timed out, though it was served.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util_fake_link.h"

struct queued {
	struct queued *next;
	struct link_msg msg;
};

struct link {
	uint32_t tenant;
	uint16_t port;
	struct queued *first, **last;
	struct link *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static struct link *links;
static uint16_t next_port = 40000;
unsigned int fake_link_lose;
static unsigned int answers;

int link_open(struct link **out, uint32_t tenant, uint16_t port, const char **step)
{
	struct link *l = calloc(1, sizeof(*l));

	pthread_mutex_lock(&lock);
	*l = (struct link){ .tenant = tenant, .port = port ? port : next_port++, .next = links };
	l->last = &l->first;
	links = l;
	pthread_mutex_unlock(&lock);
	*step = NULL;
	*out = l;
	return 0;
}

void link_close(struct link *l)
{
	struct link **p = &links;

	pthread_mutex_lock(&lock);
	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	pthread_mutex_unlock(&lock);
	while (l->first) {
		struct queued *q = l->first;

		l->first = q->next;
		free(q);
	}
	free(l);
}

static int push(struct link *from, uint16_t port, const void *data, size_t len, bool is_request,
		uint64_t cookie)
{
	struct queued *q = calloc(1, sizeof(*q));
	struct link *to;

	q->msg = (struct link_msg){ .is_request = is_request, .id = cookie, .cookie = cookie,
				    .tenant = from->tenant, .len = len };
	q->msg.from.sin_port = htons(from->port);
	memcpy(q->msg.data, data, len);
	pthread_mutex_lock(&lock);
	for (to = links; to && to->port != port; to = to->next)
		;
	if (!is_request && fake_link_lose && ++answers % fake_link_lose == 0) {
		q->msg.err = ETIMEDOUT;
		q->msg.len = 0;
	}
	if (to) {
		*to->last = q;
		to->last = &q->next;
		pthread_cond_broadcast(&arrived);
	} else {
		free(q);
	}
	pthread_mutex_unlock(&lock);
	return to ? 0 : -EHOSTUNREACH;
}

int link_request(struct link *l, const struct sockaddr_in *to, const void *data, size_t len,
		 uint64_t cookie)
{
	return push(l, ntohs(to->sin_port), data, len, true, cookie);
}

int link_reply(struct link *l, const struct link_msg *request, const void *data, size_t len)
{
	return push(l, ntohs(request->from.sin_port), data, len, false, request->id);
}

int link_recv(struct link *l, struct link_msg *m, int timeout_ms)
{
	struct timespec end;
	struct queued *q;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += timeout_ms % 1000 * 1000000L;
	end.tv_sec += timeout_ms / 1000 + end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&lock);
	while (!l->first && timeout_ms && !rc)
		rc = pthread_cond_timedwait(&arrived, &lock, &end);
	q = l->first;
	if (q) {
		l->first = q->next;
		if (!l->first)
			l->last = &l->first;
	}
	pthread_mutex_unlock(&lock);
	if (!q)
		return 0;
	*m = q->msg;
	free(q);
	return 1;
}
