/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_etcd.h - what etcd answers to the calls that the allocator makes of it: a few keys in memory, with
 * revisions, transactions and leases. The real one answers in allocd_etcd.c; this one can be made to lie.
 */
#ifndef FAKE_ETCD_H
#define FAKE_ETCD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

void fake_etcd_forget(void);	/* all keys and leases */

/* method: "kv/range" ...; now: of leases. NULL: it is no call that etcd knows. */
struct json_object *fake_etcd_answer(const char *method, struct json_object *body, uint64_t now);

/* Changes a value that is about to be told; NULL: none is. *value is malloc'ed. Returns its new length. */
extern size_t (*fake_etcd_spoil)(char **value, size_t len);

#endif /* FAKE_ETCD_H */
