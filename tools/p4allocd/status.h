/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status.h - what p4ctl and others may ask: JSON lines on a Unix socket, as p4allocd(8) says.
 *
 * Reads the engine, never changes it.
 */
#ifndef P4D_STATUS_H
#define P4D_STATUS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct p4d_engine;
struct p4d_loop;
struct p4d_service;
struct p4d_status;

struct p4d_status_conf {
	struct p4d_service *service;
	const char *path;		/* of the status socket */
	const char *store;
	const char *switch_path;
	uint16_t port;
};

/* 0, or -errno and err. conf is copied, its strings must stay. */
int p4d_status_open(struct p4d_status **out, struct p4d_loop *loop,
		    const struct p4d_status_conf *conf, char *err, size_t size);
void p4d_status_close(struct p4d_status *st);

/* The answer to one line. `now` in engine time. */
struct json_object *p4d_status_answer(const struct p4d_engine *e,
				      const struct p4d_status_conf *conf, bool store_ok,
				      uint64_t now, const char *line);

#endif /* P4D_STATUS_H */
