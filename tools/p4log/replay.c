// SPDX-License-Identifier: GPL-2.0-or-later
/* replay.c - values and unknown transactions out of all nodes' logs, as text or JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "args.h"
#include "p4log.h"

static void print_info(const struct p4a_replay_info *i, int files, bool json)
{
	const struct { const char *name; uint64_t value; } n[] = {
		{ "files", files }, { "nodes", i->nodes }, { "batch", i->batch },
		{ "epoch", i->epoch }, { "committed", i->committed }, { "refused", i->refused },
		{ "settled", i->settled }, { "unseen", i->unseen },
		{ "unknown", i->unknown }, { "keys", i->keys }, { "missing", i->missing },
		{ "unended", i->unended }, { "gaps", i->gaps }, { "breaks", i->breaks },
		{ "damaged", i->damaged }, { "torn", i->torn },
		{ "beheaded", i->beheaded },
	};

	fputs(json ? "{\"type\":\"replay\"" : "replay", stdout);
	for (size_t k = 0; k < sizeof(n) / sizeof(n[0]); k++)
		printf(json ? ",\"%s\":%" PRIu64 : " %s %" PRIu64, n[k].name, n[k].value);
	puts(json ? "}" : "");
}

/* Without a reply: the others tell that it was done, or nobody tells. */
static void print_doubtful(const struct p4a_logged *t, bool json)
{
	bool settled = t->status == P4A_TXN_OK;

	printf(json ? "{\"type\":\"%s\",\"node\":%u,\"epoch\":%" PRIu64 ",\"user\":%" PRIu64
		      ",\"errno\":%d" :
	       "%s node %u epoch %" PRIu64 " user %" PRIu64 " errno %d",
	       settled ? "settled" : "unknown", t->node, t->epoch, t->user, -t->err);
	if (settled)
		printf(json ? ",\"serial\":%" PRIu64 : " serial %" PRIu64, t->serial);
	printf(json ? ",\"ops\":[" : ":");
	for (unsigned int i = 0; i < t->count; i++) {
		printf(json ? "%s{\"key\":%" PRIu64 ",\"op\":\"%s\",\"operand\":%u" :
		       "%s key %" PRIu64 " %s %u", i ? "," : "", t->op[i].key,
		       p4log_op_name(t->op[i].code), t->op[i].operand);
		if (settled)
			printf(json ? ",\"before\":%u" : " before %u", t->op[i].result);
		fputs(json ? "}" : "", stdout);
	}
	puts(json ? "]}" : "");
}

static void print_value(const struct p4a_replayed *v, bool json)
{
	printf(json ? "{\"type\":\"value\",\"key\":%" PRIu64 ",\"value\":%u,\"serial\":%" PRIu64
		      ",\"epoch\":%" PRIu64 ",\"doubt\":%s}\n" :
	       "key %" PRIu64 " value %u serial %" PRIu64 " epoch %" PRIu64 "%s\n", v->key,
	       v->value, v->serial, v->epoch,
	       json ? (v->doubt ? "true" : "false") : (v->doubt ? " in doubt" : ""));
}

int p4log_replay(const char *dir, const struct p4log_options *o)
{
	struct p4a_replay_info info;
	struct p4a_replayed v;
	struct p4a_error err;
	struct p4a_replay *r;
	struct p4a_logged t;
	uint32_t pos = 0;
	int files;

	if (p4a_replay_new(&r, o->tenant, &err))
		arg_fail("%s", err.text);
	files = p4a_replay_dir(r, dir, &err);
	if (files < 0)
		arg_fail("%s", err.text);
	if (p4a_replay_run(r, o->after, NULL))
		arg_fail("%s: out of memory", dir);
	if (!files)
		arg_fail("%s: no log of tenant %u", dir, o->tenant);
	if (*err.text)
		fprintf(stderr, "p4log: %s\n", err.text);
	p4a_replay_info(r, &info);
	print_info(&info, files, o->json);
	while (p4a_replay_txn(r, &pos, &t))
		if (t.status == P4A_TXN_UNKNOWN || t.err)
			print_doubtful(&t, o->json);
	for (pos = 0; p4a_replay_value(r, &pos, &v);)
		if (!o->one_key || v.key == o->key)
			print_value(&v, o->json);
	p4a_replay_free(r);
	/* Without nodes, all files were torn at their beginning. */
	return !info.nodes || info.missing || info.unended || info.gaps || info.breaks || info.damaged;
}
