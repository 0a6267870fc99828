/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top.h - the rack's blocks and tenants at a moment, and what happened since another one. Pure: out of
 * two answers of the allocator to "show" (p4allocd(8)).
 *
 * before NULL: rates are since the allocator was started, as with the first line of vmstat.
 */
#ifndef P4CTL_TOP_H
#define P4CTL_TOP_H

#include <stdio.h>

#include <json-c/json.h>

void top_print(struct json_object *before, struct json_object *now, FILE *out);
struct json_object *top_json(struct json_object *before, struct json_object *now);

/* As much of a text as a screen of this size shows, each line to its end; 0: no limit. */
void top_crop(const char *text, unsigned int width, unsigned int height, FILE *out);

#endif /* P4CTL_TOP_H */
