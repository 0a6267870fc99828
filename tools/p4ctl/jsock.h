/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jsock.h - one JSON object a line over a Unix socket, as the switch and the allocator speak it.
 */
#ifndef P4CTL_JSOCK_H
#define P4CTL_JSOCK_H

#include <json-c/json.h>

#include "diag.h"

#define SWITCH_SOCKET	"/run/p4switch.sock"
#define ALLOCD_SOCKET	"/run/p4allocd.sock"

struct jsock;

/* who: "p4switch", for errors */
struct jsock *jsock_open(const char *path, const char *who, struct diag *d);
void jsock_close(struct jsock *s);

/* Sends the request, which it frees, and waits for the answer, at most half a minute. NULL: no
 * answer, or the other side refused. */
struct json_object *jsock_ask(struct jsock *s, struct json_object *request, struct diag *d);

#endif /* P4CTL_JSOCK_H */
