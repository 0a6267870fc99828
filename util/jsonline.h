/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jsonline.h - one JSON line to a Unix socket, one back: control and status sockets of the rack. */
#ifndef JSONLINE_H
#define JSONLINE_H

#include <json-c/json.h>
#include <stdint.h>

struct jsonline;

/* NULL and errno if nobody listens. */
struct jsonline *jsonline_open(const char *path);
void jsonline_close(struct jsonline *j);

/*
 * Sends `request`, returns the answer (json_object_put() it), or NULL if the connection broke, the
 * answer is no JSON object, or it says "ok":false; jsonline_error() tells which.
 */
struct json_object *jsonline_ask(struct jsonline *j, const char *request);
const char *jsonline_error(const struct jsonline *j);

/* Members; absent ones are 0 and NULL. */
uint64_t json_number(struct json_object *o, const char *name);
struct json_object *json_member(struct json_object *o, const char *name);
uint64_t json_at(struct json_object *array, size_t i);

#endif /* JSONLINE_H */
