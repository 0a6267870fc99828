/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history.h - who held how many blocks and how many tenants waited, over time, out of the allocator's
 * answers to "history" (p4allocd(8)); as CSV and as a picture. Pure.
 */
#ifndef P4CTL_HISTORY_H
#define P4CTL_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

struct history;

struct history *history_new(void);		/* NULL: no memory */
void history_free(struct history *h);

/*
 * Takes in one page: *since is then where the next one begins. 1: there is more, 0: that was all,
 * -1: no memory, or the answer makes no sense.
 */
int history_add(struct history *h, struct json_object *answer, uint64_t *since);

/* One line a change: seconds, used, total, utilisation since the line before, waiting, tenants. */
void history_csv(const struct history *h, FILE *out);

/* {"total", "begin_us", "end_us", "changes":[[us, tenant, blocks]], "waiting":[[us, tenants]]} */
struct json_object *history_json(const struct history *h);

/* Stacked blocks by tenant; below utilisation and who waits. 1000 by 540, whatever happened. */
void history_svg(const struct history *h, FILE *out);

#endif /* P4CTL_HISTORY_H */
