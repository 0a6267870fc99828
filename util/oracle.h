/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oracle.h - decides whether the histories of a tenant's nodes are those of a serial execution.
 *
 * Order: transactions with a hot part by commit serial; accesses of one key in an owner's store by
 * version; of a key that was both in the switch and in the store by epoch (a grant's accesses in the
 * switch come before those that found the key back in the store after it). If these orders together
 * have no cycle, the transactions are replayed in one that respects all of them on a plain array,
 * and every value read and every final value is compared. Serials within one epoch must have no
 * gap, versions neither, and each transaction of the trace must have exactly one fate.
 *
 * Of a tenant that was killed (a history that is cut) not all is known. Then the order is checked in
 * the same way, and each value whose last write must be among what is known.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdio.h>

#include "history.h"

struct oracle_stats {
	unsigned long transactions, hot, mixed, cold, aborted, unknown;
	unsigned long hot_ops;		/* executed in the switch */
	unsigned long values;		/* compared: read ones and final ones */
	unsigned long epochs;
	unsigned long faults;		/* 0: the histories are those of a serial execution */
};

/*
 * h[i] is the history of node i of `nodes`. traces: of each node, or NULL to compare with none. Names
 * the first faults on `out`. Returns 0, -EINVAL if faults were found, or -ENOMEM.
 */
int oracle_check(const struct history *h, unsigned int nodes, const struct trace *traces, FILE *out,
		 struct oracle_stats *stats);

#endif /* ORACLE_H */
