/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http.h - one page over HTTP, for Prometheus.
 *
 * A library would bring GnuTLS and eight more into a daemon that answers one request. This one serves
 * GET and HEAD of /metrics, closes after each answer, keeps no more than HTTP_CLIENTS connections of
 * HTTP_HEAD bytes, each for HTTP_US or until others need its place, and never blocks: who is slow is
 * cut off. No one is asked who they are: it listens on this host only unless another address is named.
 */
#ifndef P4D_HTTP_H
#define P4D_HTTP_H

#include <stddef.h>
#include <stdio.h>

#define HTTP_CLIENTS	8
#define HTTP_HEAD	4096
#define HTTP_US		2000000

struct p4d_loop;
struct p4d_http;

/*
 * where: a path (with a '/'), PORT or ADDRESS:PORT. page() writes the page. 0, or -errno and err.
 */
int p4d_http_open(struct p4d_http **out, struct p4d_loop *loop, const char *where,
		  void (*page)(void *arg, FILE *f), void *arg, char *err, size_t size);
void p4d_http_close(struct p4d_http *h);	/* NULL: no effect; the loop must not run any more */

#endif /* P4D_HTTP_H */
