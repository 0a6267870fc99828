// SPDX-License-Identifier: GPL-2.0-or-later
/* show.c - each record of one file, as text or JSON. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "log_record.h"
#include "p4log.h"

const char *p4log_op_name(unsigned int code)
{
	static const char *const name[] = {
		[P4A_READ] = "read", [P4A_WRITE] = "write", [P4A_ADD] = "add", [P4A_CADD] = "cadd",
		[P4A_REFILL] = "refill", [P4A_CHARGE] = "charge",
	};

	code &= P4A_CODE;
	return code < sizeof(name) / sizeof(name[0]) && name[code] ? name[code] : "?";
}

const char *p4log_status_name(unsigned int status)
{
	static const char *const name[] = {
		[P4A_TXN_OK] = "ok", [P4A_TXN_STALE] = "stale", [P4A_TXN_CONFLICT] = "conflict",
		[P4A_TXN_ABORT] = "abort", [P4A_TXN_VERSION] = "version",
		[P4A_TXN_MALFORMED] = "malformed", [P4A_TXN_UNSENT] = "unsent",
		[P4A_TXN_UNKNOWN] = "unknown",
	};

	return status < sizeof(name) / sizeof(name[0]) ? name[status] : "?";
}

/* Numbers of a record by name; text and JSON differ in the marks around them only. */
struct out {
	bool json;
};

static void begin(const struct out *o, uint32_t n, const char *type)
{
	printf(o->json ? "{\"n\":%" PRIu32 ",\"type\":\"%s\"" : "%" PRIu32 " %s", n, type);
}

static void number(const struct out *o, const char *name, uint64_t value)
{
	printf(o->json ? ",\"%s\":%" PRIu64 : " %s %" PRIu64, name, value);
}

static void word(const struct out *o, const char *name, const char *value)
{
	printf(o->json ? ",\"%s\":\"%s\"" : " %s %s", name, value);
}

static void show_open(const struct out *o, const struct p4a_log_open_rec *r)
{
	begin(o, le64toh(r->head.seq), "open");
	number(o, "version", le32toh(r->head.arg));
	number(o, "tenant", le32toh(r->tenant));
	number(o, "node", le16toh(r->node));
	number(o, "nodes", le16toh(r->nodes));
	number(o, "segment", le64toh(r->head.seq) >> P4A_LOG_SEGMENT_SHIFT);
	number(o, "registers", le16toh(r->registers));
	number(o, "blocks", le16toh(r->blocks));
	word(o, "outlives", le32toh(r->life) & P4A_LOG_OUTLIVES_HOST ? "host" : "process");
}

static void show_intent(const struct out *o, const struct p4a_log_intent_rec *r)
{
	begin(o, le64toh(r->head.seq), "intent");
	number(o, "epoch", le64toh(r->epoch));
	number(o, "user", le64toh(r->user));
	fputs(o->json ? ",\"ops\":[" : ":", stdout);
	for (unsigned int i = 0; i < r->head.count; i++)
		printf(o->json ? "%s{\"key\":%" PRIu64 ",\"op\":\"%s\",\"operand\":%u,\"pass\":%u,"
				 "\"register\":%u,\"slot\":%u}" :
		       "%s key %" PRIu64 " %s %u pass %u register %u slot %u",
		       i ? "," : "", le64toh(r->op[i].key), p4log_op_name(r->op[i].code),
		       le32toh(r->op[i].operand), r->op[i].code & P4A_SECOND_PASS ? 2 : 1,
		       r->op[i].reg, le16toh(r->op[i].slot));
	if (o->json)
		putchar(']');
}

static void show_result(const struct out *o, const struct p4a_log_result_rec *r)
{
	begin(o, le64toh(r->head.seq), "result");
	number(o, "of", (uint32_t)le64toh(r->intent));
	word(o, "status", p4log_status_name(le32toh(r->head.arg)));
	if (r->err)
		number(o, "errno", -(int32_t)le32toh(r->err));
	if (le32toh(r->head.arg) != P4A_TXN_OK)
		return;
	number(o, "serial", le64toh(r->serial));
	fputs(o->json ? ",\"found\":[" : " found", stdout);
	for (unsigned int i = 0; i < r->head.count; i++)
		printf(o->json ? "%s%u" : "%s %u", i ? "," : "", le32toh(r->value[i]));
	if (o->json)
		putchar(']');
}

static void show_cells(const struct out *o, const struct p4a_log_cells_rec *r)
{
	begin(o, le64toh(r->head.seq), le32toh(r->head.arg) == P4A_LOG_DRAIN ? "drain" : "fill");
	number(o, "epoch", le64toh(r->epoch));
	number(o, "serial", le64toh(r->serial));
	fputs(o->json ? ",\"cells\":[" : ":", stdout);
	for (unsigned int i = 0; i < r->head.count; i++)
		printf(o->json ? "%s{\"key\":%" PRIu64 ",\"value\":%u,\"register\":%u,\"slot\":%u}" :
		       "%s key %" PRIu64 " value %u register %u slot %u", i ? "," : "",
		       le64toh(r->cell[i].key), le32toh(r->cell[i].value), r->cell[i].reg,
		       le16toh(r->cell[i].slot));
	if (o->json)
		putchar(']');
}

static void show(const struct out *o, const union p4a_log_record *rec)
{
	uint64_t seq = le64toh(rec->head.seq);

	switch (rec->head.type) {
	case P4A_LOG_OPEN:
		show_open(o, &rec->open);
		break;
	case P4A_LOG_GRANT:
		begin(o, seq, "grant");
		number(o, "batch", le32toh(rec->head.arg));
		number(o, "epoch", le64toh(rec->grant.epoch));
		number(o, "blocks", le32toh(rec->grant.blocks));
		break;
	case P4A_LOG_INTENT:
		show_intent(o, &rec->intent);
		break;
	case P4A_LOG_RESULT:
		show_result(o, &rec->result);
		break;
	case P4A_LOG_CELLS:
		show_cells(o, &rec->cells);
		break;
	case P4A_LOG_END:
		begin(o, seq, "end");
		number(o, "batch", le32toh(rec->head.arg));
		break;
	}
	puts(o->json ? "}" : "");
}

static uint8_t *read_all(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	size_t room = 1 << 16;
	uint8_t *data = f ? malloc(room) : NULL;

	for (*len = 0; data;) {
		size_t n = fread(data + *len, 1, room - *len, f);

		*len += n;
		if (!n)
			break;
		if (*len == room)
			data = realloc(data, room *= 2);
	}
	if (!data || ferror(f))
		arg_fail("%s: %s", path, strerror(errno));
	fclose(f);
	return data;
}

int p4log_show(const char *path, const struct p4log_options *options)
{
	struct out o = { .json = options->json };
	struct p4a_log_reader r;
	union p4a_log_record rec;
	size_t len;
	uint8_t *data = read_all(path, &len);
	int rc = p4a_log_reader_init(&r, data, len, &rec.open);

	if (rc < 0)
		arg_fail("%s: %s", path, rc == -EBADMSG ? "not a log" : "a log of another version");
	if (!rc) {
		show(&o, &rec);
		while (p4a_log_reader_next(&r, &rec))
			show(&o, &rec);
	}
	fflush(stdout);
	if (r.torn)
		fprintf(stderr, "p4log: %s: %zu bytes at the end are no record\n", path, r.torn);
	if (r.damaged)
		fprintf(stderr, "p4log: %s: %zu bytes are damaged\n", path, r.damaged);
	free(data);
	return r.damaged ? 1 : 0;
}
