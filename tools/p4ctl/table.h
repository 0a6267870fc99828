/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h - tables for people: columns as wide as their contents, numbers to the right.
 *
 * Cells are copied; what is not printable ASCII becomes '?', so foreign text cannot move the
 * cursor. Without memory the table prints what it has and says so.
 */
#ifndef P4CTL_TABLE_H
#define P4CTL_TABLE_H

#include <stdio.h>

struct table;

/* Column heads, separated by blanks; a '>' before a head sets its column to the right. */
struct table *table_create(const char *heads);
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *t, FILE *out);
void table_free(struct table *t);

#endif /* P4CTL_TABLE_H */
