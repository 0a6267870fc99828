/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * etcd.h - calls of etcd's version 3 API in its JSON form, over HTTP, by libcurl.
 *
 * Never blocks, but for p4d_etcd_now(). The answer comes from the loop. A member of the cluster
 * that can't be reached has its place taken by the next one that was named, from the next call on.
 */
#ifndef P4D_ETCD_H
#define P4D_ETCD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct p4d_etcd;
struct p4d_loop;

/* answer: NULL: there is none, why says the reason; it may have been carried out, or be later. */
typedef void (*p4d_etcd_answer)(void *arg, struct json_object *answer, const char *why);

/* members: host:port[,host:port...]; loop NULL: for p4d_etcd_now() only. NULL: no memory. */
struct p4d_etcd *p4d_etcd_create(struct p4d_loop *loop, const char *members);
void p4d_etcd_destroy(struct p4d_etcd *etcd);	/* calls under way are never answered */

/* method: "kv/txn" ...; takes the body. */
void p4d_etcd_call(struct p4d_etcd *etcd, const char *method, struct json_object *body,
		   p4d_etcd_answer answer, void *arg);
/* Waits for the answer. NULL and err. */
struct json_object *p4d_etcd_now(struct p4d_etcd *etcd, const char *method,
				 struct json_object *body, char *err, size_t size);

/* Bytes as a base64 string; and back, into *out, which the caller frees. */
struct json_object *p4d_etcd_bytes(const void *bytes, size_t len);
size_t p4d_etcd_bytes_of(struct json_object *o, const char *member, char **out);

/* A member of an answer, 0 if it is missing, as etcd leaves out what is 0. */
uint64_t p4d_etcd_number(struct json_object *o, const char *member);
/* Of a list; 0 and NULL: there is none, or not so many. */
size_t p4d_etcd_length(struct json_object *o, const char *member);
struct json_object *p4d_etcd_nth(struct json_object *o, const char *member, size_t i);
/* A body of one member, to which further ones may be added. */
struct json_object *p4d_etcd_key(const char *prefix, const char *key);
void p4d_etcd_set(struct json_object *o, const char *member, uint64_t value);
/* The range of all keys that begin with what `key` says. */
void p4d_etcd_all_under(struct json_object *body, const char *prefix, const char *key);
/* {"KIND": op}, a part of a transaction; takes op. */
struct json_object *p4d_etcd_op(const char *kind, struct json_object *op);
/* The part that writes these bytes. */
struct json_object *p4d_etcd_put_op(const char *prefix, const char *key, const void *value,
				    size_t len);
/* Was what the transaction compares as it says? */
bool p4d_etcd_succeeded(struct json_object *answer);

#endif /* P4D_ETCD_H */
