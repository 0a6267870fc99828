/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - what must survive a kill, in one SQLite file.
 *
 * A save is one transaction and is on the disk when it returns: all that has changed in the
 * engine, or nothing. One process a file. Another kind of store needs these four calls only.
 */
#ifndef P4D_STORE_H
#define P4D_STORE_H

#include <stddef.h>

struct p4d_engine;
struct p4d_store;

/* 0, or -errno with the reason and what to do in err. The file is made if there is none. */
int p4d_store_open(struct p4d_store **out, const char *path, char *err, size_t size);
void p4d_store_close(struct p4d_store *st);

/* Fills a fresh engine. 0, or -errno and err: the file is damaged, the engine unusable. */
int p4d_store_load(struct p4d_store *st, struct p4d_engine *e, char *err, size_t size);

/* Saves what is dirty and marks it clean. -errno and err: nothing was saved, all is still dirty. */
int p4d_store_save(struct p4d_store *st, struct p4d_engine *e, char *err, size_t size);

#endif /* P4D_STORE_H */
