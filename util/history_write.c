// SPDX-License-Identifier: GPL-2.0-or-later
/* history_write.c - writes histories; see history.h. One thread; errors show at history_close(). */
#include <errno.h>
#include <stdlib.h>

#include "history.h"

struct history_log {
	FILE *file;
	unsigned long lines;
};

struct history_log *history_create(const char *path, const struct history_head *head)
{
	struct history_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->file = fopen(path, "we");
	if (!log->file) {
		free(log);
		return NULL;
	}
	fprintf(log->file, "history %u tenant %u node %u of %u keys %u txns %u start %s\n",
		HISTORY_VERSION,
		head->tenant, head->node, head->nodes, head->keys, head->txns,
		start_name(head->start));
	log->lines = 1;
	return log;
}

void history_commit(struct history_log *log, uint32_t number, uint64_t serial, uint64_t epoch,
		    const struct history_op *ops, unsigned int n)
{
	fprintf(log->file, "C %u %llu %llu", number, (unsigned long long)serial,
		(unsigned long long)epoch);
	for (const struct history_op *o = ops; o < ops + n; o++) {
		fprintf(log->file, ";%c%c %u %u %u", o->hot ? 'h' : 'c',
			trace_kind_letter(o->op.kind), o->op.key, o->op.operand, o->got);
		if (!o->hot)
			fprintf(log->file, " %u %llu", o->version, (unsigned long long)o->epoch);
	}
	putc('\n', log->file);
	log->lines++;
}

void history_aborted(struct history_log *log, uint32_t number)
{
	fprintf(log->file, "A %u\n", number);
	log->lines++;
}

void history_unknown(struct history_log *log, uint32_t number)
{
	fprintf(log->file, "U %u\n", number);
	log->lines++;
}

void history_logs(struct history_log *log, uint64_t epoch, uint64_t unseen)
{
	fprintf(log->file, "L %llu %llu\n", (unsigned long long)epoch, (unsigned long long)unseen);
	log->lines++;
}

void history_final(struct history_log *log, uint32_t key, uint32_t value, uint32_t version)
{
	fprintf(log->file, "F %u %u %u\n", key, value, version);
	log->lines++;
}

int history_close(struct history_log *log)
{
	int failed;

	fprintf(log->file, "end %lu\n", log->lines);
	failed = ferror(log->file);
	failed |= fclose(log->file);
	free(log);
	return failed ? -EIO : 0;
}
