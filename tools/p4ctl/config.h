/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - tenants, geometry and policy as words of a command line, both ways.
 *
 * The words that config_*_line prints are accepted by the table of the same object and give the
 * same record, so what `show` and `events` print can be run. Pure.
 */
#ifndef P4CTL_CONFIG_H
#define P4CTL_CONFIG_H

#include <json-c/json.h>

#include "args.h"
#include "msg.h"

extern const struct arg_spec tenant_args[], tenant_id_args[], tenant_show_args[];
extern const struct arg_spec geometry_args[], policy_args[];

int config_tenant(const struct arg *args, struct tenant *t, struct diag *d);
int config_geometry(const struct arg *args, struct geometry *g, struct diag *d);
int config_policy(const struct arg *args, struct policy *p, struct diag *d);

/* A tenant without a uid or gid attribute has MSG_NOBODY there. */
void config_tenant_complete(struct tenant *t);

void config_tenant_line(const struct tenant *t, char *buf, size_t len);
void config_geometry_line(const struct geometry *g, char *buf, size_t len);
void config_policy_line(const struct policy *p, char *buf, size_t len);

/* Any record by its field table: numbers, strings, bitmaps as 64 hexadecimal digits. */
struct json_object *config_json(const struct field *fields, const void *rec);
struct json_object *config_tenant_json(const struct tenant *t);
struct json_object *config_policy_json(const struct policy *p);
struct json_object *config_alloc_json(const struct alloc *a);

#endif /* P4CTL_CONFIG_H */
