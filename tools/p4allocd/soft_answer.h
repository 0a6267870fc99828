/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_answer.h - what p4switch answers over its control socket (doc/switch.md); no trust in it. */
#ifndef P4D_SOFT_ANSWER_H
#define P4D_SOFT_ANSWER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a batch, an answer each; NULL if there are none. */
struct json_object *p4d_answer_results(struct json_object *o);
/* It was done; all of a batch. */
bool p4d_answer_ok(struct json_object *o);
/* Whether there is a number of 0 .. max. */
bool p4d_answer_uint(struct json_object *o, const char *name, uint64_t max, uint64_t *out);
/* Whether there are so many; what they are is not looked at. */
bool p4d_answer_values(struct json_object *o, uint64_t *out, size_t count);
/* "" if there is none. It is o's. */
const char *p4d_answer_text(struct json_object *o, const char *name);

#endif /* P4D_SOFT_ANSWER_H */
