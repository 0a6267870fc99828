/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service.h - engine, store and switch put together; everything but the transport.
 *
 * Events go into the engine; p4d_service_flush(), called after each wake-up of the loop, commits
 * what they changed in one transaction and only then sends the answers and tells the switch. A
 * store that takes its time is not waited for: what comes meanwhile is the next commit. If the
 * store fails, all of that is kept back and tried again, and new messages are refused with STORE.
 */
#ifndef P4D_SERVICE_H
#define P4D_SERVICE_H

#include "engine.h"
#include "store.h"
#include "switch.h"

struct p4d_loop;
struct p4d_service;

struct p4d_service_conf {
	const char *store;		/* a file; or what the other kind of store is called */
	const struct p4d_store_ops *store_ops;	/* of that, NULL: a file */
	void *store_impl;		/* taken over */
	const char *switch_path;
	uint64_t term;			/* see switch.h */
	const struct p4d_switch_ops *switch_ops;
	void (*reply)(void *arg, const struct p4d_who *who, const void *bytes, size_t len);
	void *arg;		/* of reply */
};

/* 0, or -errno and err. conf's strings must stay. The switch is not waited for. */
int p4d_service_open(struct p4d_service **out, struct p4d_loop *loop,
		     const struct p4d_service_conf *conf, char *err, size_t size);
void p4d_service_close(struct p4d_service *s);

void p4d_service_message(struct p4d_service *s, uint32_t tenant, const struct p4d_who *who,
			 const void *bytes, size_t len);
void p4d_service_flush(struct p4d_service *s);

struct p4d_engine *p4d_service_engine(struct p4d_service *s);
bool p4d_service_store_ok(const struct p4d_service *s);

#endif /* P4D_SERVICE_H */
