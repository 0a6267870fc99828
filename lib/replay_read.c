// SPDX-License-Identifier: LGPL-2.1-or-later
/* replay_read.c - collects the records of logs, from memory or from the files of a directory. */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "replay.h"

void *p4a_list_add(struct p4a_list *list, size_t size)
{
	uint8_t *at;

	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		void *data = reallocarray(list->data, room, size);

		if (!data)
			return NULL;
		list->data = data;
		list->room = room;
	}
	at = (uint8_t *)list->data + list->n++ * size;
	return memset(at, 0, size);
}

int p4a_replay_new(struct p4a_replay **out, uint32_t tenant, struct p4a_error *err)
{
	struct p4a_replay *r = calloc(1, sizeof(*r));

	if (!r)
		return p4a_fail(err, -ENOMEM, "replay: no memory");
	r->tenant = tenant;
	*out = r;
	return 0;
}

void p4a_replay_free(struct p4a_replay *r)
{
	if (!r)
		return;
	free(r->intents.data);
	free(r->ops.data);
	free(r->results.data);
	free(r->cells.data);
	free(r->grants.data);
	free(r->batches.data);
	free(r->serials.data);
	free(r->touches.data);
	free(r->values.data);
	free(r->order.data);
	free(r->by_epoch.data);
	free(r);
}

static int add_intent(struct p4a_replay *r, unsigned int node, const union p4a_log_record *rec)
{
	struct p4a_replay_intent *t = p4a_list_add(&r->intents, sizeof(*t));
	unsigned int i;

	if (!t)
		return -ENOMEM;
	t->seq = le64toh(rec->head.seq);
	t->epoch = le64toh(rec->intent.epoch);
	t->user = le64toh(rec->intent.user);
	t->node = node;
	t->op = r->ops.n;
	for (i = 0; i < rec->head.count; i++) {
		struct p4a_replay_op *op = p4a_list_add(&r->ops, sizeof(*op));

		if (!op)
			return -ENOMEM;
		t->count = i + 1;
		op->key = le64toh(rec->intent.op[i].key);
		op->operand = le32toh(rec->intent.op[i].operand);
		op->code = rec->intent.op[i].code;
	}
	return 0;
}

static int add_result(struct p4a_replay *r, unsigned int node, const union p4a_log_record *rec)
{
	struct p4a_replay_result *t = p4a_list_add(&r->results, sizeof(*t));
	uint32_t status = le32toh(rec->head.arg);
	unsigned int i;

	if (!t)
		return -ENOMEM;
	t->seq = le64toh(rec->head.seq);
	t->intent = le64toh(rec->result.intent);
	t->serial = le64toh(rec->result.serial);
	t->err = (int32_t)le32toh(rec->result.err);
	t->status = status < P4A_TXN_UNKNOWN ? status : P4A_TXN_UNKNOWN;
	t->count = rec->head.count;
	t->node = node;
	for (i = 0; i < t->count; i++)
		t->value[i] = le32toh(rec->result.value[i]);
	return 0;
}

static int add_cells(struct p4a_replay *r, const union p4a_log_record *rec)
{
	struct p4a_replay_cells *t = p4a_list_add(&r->cells, sizeof(*t));
	unsigned int i;

	if (!t)
		return -ENOMEM;
	t->epoch = le64toh(rec->cells.epoch);
	t->serial = le64toh(rec->cells.serial);
	t->drain = le32toh(rec->head.arg) == P4A_LOG_DRAIN;
	t->count = rec->head.count;
	for (i = 0; i < t->count; i++) {
		t->key[i] = le64toh(rec->cells.cell[i].key);
		t->value[i] = le32toh(rec->cells.cell[i].value);
	}
	return 0;
}

static int add_grant(struct p4a_replay *r, const struct p4a_log_open_rec *open,
		     const union p4a_log_record *rec)
{
	struct p4a_replay_grant *t = p4a_list_add(&r->grants, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->epoch = le64toh(rec->grant.epoch);
	t->batch = le32toh(rec->head.arg);
	t->segment = le64toh(rec->head.seq) >> P4A_LOG_SEGMENT_SHIFT;
	t->node = le16toh(open->node);
	t->nodes = le16toh(open->nodes);
	return 0;
}

/* That batch, and those before in this file, are over: nothing was outstanding when it was written. */
static void add_end(struct p4a_replay *r, const struct p4a_log_open_rec *open,
		    const union p4a_log_record *rec)
{
	uint32_t batch = le32toh(rec->head.arg);
	unsigned int node = le16toh(open->node);
	struct p4a_replay_grant *g = r->grants.data;

	if (batch > r->ended[node])
		r->ended[node] = batch;
	if (r->grants.n == r->first)
		return;
	g += r->grants.n - 1;
	if (batch >= g->end)
		g->end = (uint64_t)batch + 1;
}

/* From the last to the first, since an END is for grants before it. In older logs drains came after it. */
static void mark_over(struct p4a_replay *r, const struct p4a_log_open_rec *open)
{
	bool last = le32toh(open->head.arg) > P4A_LOG_VERSION_DRAIN_LAST;
	struct p4a_replay_grant *g = r->grants.data;
	uint64_t end = 0;
	size_t i;

	for (i = r->grants.n; i > r->first; i--) {
		if (g[i - 1].end > end)
			end = g[i - 1].end;
		g[i - 1].over = g[i - 1].batch < end;
		g[i - 1].ended = g[i - 1].over && last;
		r->marked++;
	}
}

static int add_record(struct p4a_replay *r, const struct p4a_log_open_rec *open,
		      const union p4a_log_record *rec)
{
	unsigned int node = le16toh(open->node);

	switch (rec->head.type) {
	case P4A_LOG_INTENT:
		return add_intent(r, node, rec);
	case P4A_LOG_RESULT:
		return add_result(r, node, rec);
	case P4A_LOG_CELLS:
		return add_cells(r, rec);
	case P4A_LOG_GRANT:
		return add_grant(r, open, rec);
	case P4A_LOG_END:
		add_end(r, open, rec);
		return 0;
	default:
		return 0;
	}
}

static int check_open(const struct p4a_replay *r, const struct p4a_log_open_rec *open,
		      struct p4a_error *err)
{
	uint32_t tenant = le32toh(open->tenant);
	uint16_t node = le16toh(open->node);

	if (tenant != r->tenant)
		return p4a_fail(err, -EINVAL, "log: of tenant %u, must be of %u", tenant,
				r->tenant);
	if (node >= P4A_MAX_NODES)
		return p4a_fail(err, -EBADMSG, "log: of node %u, must be 0 .. %u", node,
				P4A_MAX_NODES - 1);
	return 0;
}

/* What the OPEN would have said; its number of nodes is not in the name. */
static void resume(struct p4a_replay *r, struct p4a_log_reader *reader,
		   const struct p4a_log_name *name, struct p4a_log_open_rec *open)
{
	r->beheaded++;
	p4a_log_reader_resume(reader, name->segment);
	*open = (struct p4a_log_open_rec) {
		.tenant = htole32(name->tenant), .node = htole16(name->node),
	};
}

static int add_records(struct p4a_replay *r, struct p4a_log_reader *reader,
		       const struct p4a_log_open_rec *open)
{
	union p4a_log_record rec;

	r->first = r->grants.n;
	while (p4a_log_reader_next(reader, &rec))
		if (add_record(r, open, &rec))
			return -ENOMEM;
	mark_over(r, open);
	/* Without an OPEN there is no telling where the log ended. */
	if (!open->head.type && reader->torn == reader->len) {
		reader->damaged = reader->len;
		reader->torn = 0;
	}
	r->damaged += reader->damaged;
	r->torn += reader->torn;
	return 0;
}

/* name: of the file, or NULL. */
static int add_log(struct p4a_replay *r, const void *data, size_t len,
		   const struct p4a_log_name *name, struct p4a_error *err)
{
	struct p4a_log_open_rec open;
	struct p4a_log_reader reader;
	int rc = p4a_log_reader_init(&reader, data, len, &open);

	if (rc == -EBADMSG && name) {
		resume(r, &reader, name, &open);
		rc = 0;
	}
	if (rc == -EPROTONOSUPPORT)
		return p4a_fail(err, rc, "log: of another version, must be 1 .. %u",
				P4A_LOG_VERSION);
	if (rc < 0)
		return p4a_fail(err, rc, "log: does not begin as one");
	if (rc) {
		r->torn += reader.torn;
		return 0;
	}
	rc = check_open(r, &open, err);
	if (rc)
		return rc;
	if (le16toh(open.nodes) > r->nodes)
		r->nodes = le16toh(open.nodes);
	if (le16toh(open.node) >= r->nodes)
		r->nodes = le16toh(open.node) + 1;
	r->seen |= UINT64_C(1) << le16toh(open.node);
	if (add_records(r, &reader, &open))
		return p4a_fail(err, -ENOMEM, "log: no memory");
	return 0;
}

int p4a_replay_add(struct p4a_replay *r, const void *data, size_t len, struct p4a_error *err)
{
	return add_log(r, data, len, NULL, err);
}

/* 1, 0 if its node has just removed it, or -errno. */
static int add_file(struct p4a_replay *r, int dir, const char *name,
		    const struct p4a_log_name *parsed, struct p4a_error *err)
{
	uint64_t beheaded = r->beheaded;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), rc = 0;
	struct p4a_error text = { "" };
	uint8_t *data;
	size_t len = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	data = fd < 0 ? NULL : p4a_log_read(fd, &len);
	if (!data)
		rc = p4a_fail(err, -errno, "%s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (rc)
		return rc;
	rc = add_log(r, data, len, parsed, &text);
	free(data);
	if (!rc && !beheaded && r->beheaded)
		p4a_fail(err, 0, "%s: does not begin as a log; what can be read of it is taken", name);
	return rc ? p4a_fail(err, rc, "%s: %s", name, text.text) : 1;
}

int p4a_replay_dir(struct p4a_replay *r, const char *dir, struct p4a_error *err)
{
	DIR *d = opendir(dir);
	struct p4a_log_name name;
	struct dirent *e;
	int n = 0, rc = 0;

	if (!d)
		return p4a_fail(err, -errno, "log: %s: %s", dir, strerror(errno));
	p4a_fail(err, 0, "%s", "");
	while (rc >= 0 && (e = readdir(d))) {
		if (!p4a_log_parse_name(e->d_name, &name) || name.tenant != r->tenant)
			continue;
		rc = add_file(r, dirfd(d), e->d_name, &name, err);
		n += rc > 0;
	}
	closedir(d);
	return rc < 0 ? rc : n;
}
