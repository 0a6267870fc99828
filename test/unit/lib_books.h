/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib_books.h - logs of a tenant's nodes, written in memory, and a model of the switch that they tell of.
 * Every function fails the test that calls it if something does not work.
 */
#ifndef LIB_BOOKS_H
#define LIB_BOOKS_H

#include <stddef.h>
#include <stdint.h>

#include "log_record.h"

#define NODES	3
#define KEYS	20
#define BYTES	(1 << 20)
#define SERIAL	24

struct book {				/* one segment in memory */
	uint8_t data[BYTES];
	size_t len;
	uint64_t next;
};

extern struct book book[NODES];
extern uint32_t cell[KEYS];		/* of the switch */
extern uint64_t epoch, serial;		/* of the grant; the next one */
extern uint16_t book_nodes;		/* that a new book says */

struct sent {				/* a transaction between intent and result */
	unsigned int node, n;
	uint64_t seq;
	struct p4a_op op[3];
	uint32_t before[3];
};

void open_book(unsigned int node, uint32_t tenant, uint32_t segment, uint32_t version);
void open_books(void);
void grant(unsigned int node, uint32_t batch, uint64_t e);
void end_one(unsigned int node, uint32_t batch);
void begin_epoch(uint32_t batch);
void move_cells(enum p4a_log_cells kind, uint32_t value);
struct sent intend(unsigned int node, const struct p4a_op *op, unsigned int n, uint64_t user);
void execute(struct sent *s);
void conclude(const struct sent *s, enum p4a_txn_status status, uint64_t at);
void commit(unsigned int node, const struct p4a_op *op, unsigned int n);
struct p4a_replay *replay_nodes(unsigned int nodes, uint64_t after, struct p4a_replay_info *info);
struct p4a_replay *replay(struct p4a_replay_info *info);
struct p4a_replayed value_of(const struct p4a_replay *r, uint64_t key);
void all_well(const struct p4a_replay_info *info);
void end_all(uint32_t batch);

#endif
