/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * records.h - what of the engine must survive a kill, as records: a key, and a value of bytes.
 *
 * Pure: no kind of store is known here, and a store knows nothing but keys and bytes. Keys are text
 * whose parts are parted by `/`, numbers in them have leading zeros, so they sort by number:
 *
 *	meta				epochs, tokens and reservations drawn; the switch
 *	tenant/ID			nodes, habits, credit; the current and the next batch
 *	check/ID			what its declarations were worth
 *	locks/ID/0, locks/ID/1		lock bits of a batch, by the parity of its number
 *	escrow/ID/BATCH			a set of drained cells
 *	escrow/ID/BATCH/PART		the cells themselves, 64 KiB in each
 *
 * Values are lines of `name=value` (bytes follow the first line of locks; check and cells are
 * bytes).
 * A name that a later version adds has a default when an older version wrote the record; one that
 * is not known is an error, so that an older version never goes on with half of the truth.
 */
#ifndef P4D_RECORDS_H
#define P4D_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P4D_KEY_MAX 48
#define P4D_VALUE_MAX (66 << 10)	/* bytes in the largest record */

struct p4d_engine;

struct p4d_change {
	struct p4d_change *link;
	bool remove;			/* this key and all keys under it; has no value */
	char key[P4D_KEY_MAX];
	size_t len;
	uint8_t value[];
};

struct p4d_changes {		/* {0}: none. In order: a later one of the same key counts */
	struct p4d_change *first, *last;
	size_t n;
	size_t bytes;			/* of keys and values */
};

/* One more: its value, of `len` bytes, is for the caller to fill in. fmt: of its key. */
struct p4d_change *p4d_changes_append(struct p4d_changes *c, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Appends what has changed since the last call. It is up to the caller that it gets stored. */
void p4d_records_collect(struct p4d_engine *e, struct p4d_changes *c);
void p4d_changes_drop(struct p4d_changes *c);

/*
 * For a fresh engine, in order of keys. 0, or -EINVAL and *bad names the field that is out of range
 * or not known (a literal or a table's text, or NULL). When all are in, p4d_records_loaded().
 */
int p4d_record_load(struct p4d_engine *e, const char *key, const void *value, size_t len,
		    const char **bad);
int p4d_records_loaded(struct p4d_engine *e, const char **bad);

#endif /* P4D_RECORDS_H */
