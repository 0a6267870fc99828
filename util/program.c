// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * program.c - see program.h. Owns the command line and what a node consists of, from open to close.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "program.h"

#define GREET_MS 60000
#define HELLO_US 30000000ull	/* for allocator and switch, which may be only just starting */
#define OWN_MAX 16		/* options of a program */

static struct sockaddr_in addrs[PEER_NODES_MAX];	/* of all nodes: one node a process */

static const char usage[] =
	"  --peers LIST       all nodes of the tenant in order, this one included\n"
	"  --history FILE     written: for p4oracle\n"
	"  --summary FILE     written: figures, JSON\n"
	"  --batches N        batches that the transactions are split into (4)\n"
	"  --want-blocks N    blocks of the switch to ask for (1)\n"
	"  --flows N          transactions outstanding in the switch (32)\n"
	"  --duration-us N    how long the blocks are needed, to declare (1000000)\n"
	"  --relayout N       1: a layout after each batch by what was accessed (0)\n"
	"  --log DIR          keep a log there; all nodes the same directory. Values that a\n"
	"                     switch has lost come back from it\n"
	"  --log-sync N       0: it outlives this process (0), 1: and the host\n";

static void show_usage(const struct program *p)
{
	printf("usage: %s --tenant ID --node N --peers ADDR:PORT,... [OPTION VALUE]...\n%s%s", p->name,
	       p->usage, usage);
}

static void parse_peers(struct node_config *c, const char *list)
{
	char *copy = strdup(list), *save = NULL;

	c->self.nodes = 0;		/* of an option that is given twice the last one counts */
	for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		struct sockaddr_in *a = &addrs[c->self.nodes];
		char *colon = strchr(p, ':');

		if (c->self.nodes == PEER_NODES_MAX)
			arg_fail("--peers names more than %u nodes", PEER_NODES_MAX);
		if (!colon)
			arg_fail("--peers has '%s', must be ADDR:PORT", p);
		*colon = 0;
		a->sin_family = AF_INET;
		if (inet_pton(AF_INET, p, &a->sin_addr) != 1)
			arg_fail("--peers has address '%s', must be IPv4", p);
		a->sin_port = htons(arg_number("--peers: port", colon + 1, 1, 32767));
		c->self.nodes++;
	}
	free(copy);
}

/* Options of all nodes, by place; what is a number has a maximum. */
enum { O_TENANT, O_NODE, O_PEERS, O_HISTORY, O_SUMMARY, O_BATCHES, O_BLOCKS, O_FLOWS, O_DURATION,
       O_LOG, O_SYNC, O_RELAYOUT, O_HELP, O_OWN };

static void set_option(struct node_config *c, int which, const char *name, const char *v)
{
	switch (which) {
	case O_TENANT:
		c->self.tenant = arg_number(name, v, 1, 0xffffff);
		break;
	case O_NODE:
		c->self.node = arg_number(name, v, 0, PEER_NODES_MAX - 1);
		break;
	case O_PEERS:
		parse_peers(c, v);
		break;
	case O_HISTORY:
		c->history = v;
		break;
	case O_SUMMARY:
		c->summary = v;
		break;
	case O_BATCHES:
		c->batches = arg_number(name, v, 1, 900);
		break;
	case O_BLOCKS:
		c->want_blocks = arg_number(name, v, 1, P4A_MAX_BLOCKS);
		break;
	case O_FLOWS:
		c->flows = arg_number(name, v, 1, 4096);
		break;
	case O_DURATION:
		c->duration_us = arg_number(name, v, 1, 60000000);
		break;
	case O_LOG:
		c->log = v;
		break;
	case O_SYNC:
		c->log_sync = arg_number(name, v, P4A_LOG_PROCESS, P4A_LOG_HOST);
		break;
	case O_RELAYOUT:
		c->relayout = arg_number(name, v, 0, 1);
		break;
	}
}

static void set_own(const struct program_option *o, const char *name, const char *v)
{
	if (o->text)
		*o->text = v;
	else
		*o->number = arg_number(name, v, o->min, o->max);
}

static void check(const struct node_config *c)
{
	const struct peer_self *self = &c->self;

	if (!self->tenant)
		arg_fail("--tenant is missing, must be 1 .. 16777215");
	if (!self->nodes)
		arg_fail("--peers is missing, must be ADDR:PORT,...");
	if (self->node >= self->nodes)
		arg_fail("--node is %u, must be 0 .. %u (--peers names %u nodes)", self->node,
			 self->nodes - 1, self->nodes);
}

static void parse(const struct program *p, struct node_config *c, int argc, char **argv)
{
	struct option longs[O_OWN + OWN_MAX + 1] = {
		[O_TENANT] = { "tenant", 1, NULL, 0 }, [O_NODE] = { "node", 1, NULL, 0 },
		[O_PEERS] = { "peers", 1, NULL, 0 }, [O_HISTORY] = { "history", 1, NULL, 0 },
		[O_SUMMARY] = { "summary", 1, NULL, 0 }, [O_BATCHES] = { "batches", 1, NULL, 0 },
		[O_BLOCKS] = { "want-blocks", 1, NULL, 0 }, [O_FLOWS] = { "flows", 1, NULL, 0 },
		[O_DURATION] = { "duration-us", 1, NULL, 0 }, [O_LOG] = { "log", 1, NULL, 0 },
		[O_SYNC] = { "log-sync", 1, NULL, 0 }, [O_RELAYOUT] = { "relayout", 1, NULL, 0 },
		[O_HELP] = { "help", 0, NULL, 0 },
	};
	int which = 0, got;
	char name[32];

	for (int i = 0; p->options[i].name; i++)
		longs[O_OWN + i] = (struct option) { p->options[i].name, 1, NULL, 0 };
	while ((got = getopt_long(argc, argv, "h", longs, &which)) != -1) {
		if (got == 'h' || (!got && which == O_HELP)) {
			show_usage(p);
			exit(0);
		}
		if (got)
			exit(2);
		snprintf(name, sizeof(name), "--%s", longs[which].name);
		if (which < O_OWN)
			set_option(c, which, name, optarg);
		else
			set_own(&p->options[which - O_OWN], name, optarg);
	}
	if (optind < argc)
		arg_fail("'%s' is not an option", argv[optind]);
	check(c);
}

/* ------------------------------------------------------------------ workloads */

void program_count(struct p4a_key_count *kc, const struct trace *t)
{
	for (uint32_t i = 0; i < t->first[t->txns]; i++) {
		struct p4a_key_count *k = &kc[t->ops[i].key];

		k->key = t->ops[i].key;
		k->count++;
		if (t->ops[i].kind & TRACE_SOURCE)
			k->count |= P4A_KEY_SOURCE;
		if (t->ops[i].kind & TRACE_DEPENDENT)
			k->count |= P4A_KEY_DEPENDENT;
	}
}

int program_layout(struct p4a_key_count *kc, uint32_t keys, const struct p4a_geometry *geo,
		   struct p4a_layout **out, struct p4a_error *err)
{
	size_t n = 0;

	for (uint32_t key = 0; key < keys; key++)
		if (kc[key].count)
			kc[n++] = kc[key];
	return p4a_layout_from_counts(out, geo, kc, n, err);
}

/* ------------------------------------------------------------------ node */

/* Layout and own hot keys, if the switch's geometry is known; else everything stays cold. */
static void make_layout(const struct program *p, struct node *n)
{
	struct p4a_geometry geo;
	struct p4a_layout *layout;
	struct p4a_error err;

	if (p4a_geometry(n->ctx, &geo))
		return;
	if (n->cfg.want_blocks > geo.blocks)
		arg_fail("--want-blocks is %u, must be 1 .. %u", n->cfg.want_blocks, geo.blocks);
	if (p->layout(n, &geo, &layout, &err) < 0)
		arg_fail("%s", err.text);
	n->hot_keys = calloc(geo.registers * n->cfg.want_blocks * P4A_BLOCK_SLOTS,
			     sizeof(*n->hot_keys));
	n->hot_kv = calloc(geo.registers * n->cfg.want_blocks * P4A_BLOCK_SLOTS,
			   sizeof(*n->hot_kv));
	if (!n->hot_keys || !n->hot_kv)
		arg_fail("%s", strerror(ENOMEM));
	if (node_use_layout(n, layout))
		arg_fail("%s", p4a_last_error(n->ctx));
}

static bool may_come(const struct p4a_ctx *ctx)
{
	enum p4a_cold why = p4a_why_cold(ctx, NULL);

	return why == P4A_COLD_NO_ALLOCATOR || why == P4A_COLD_NO_SWITCH;
}

static void greet_allocator(struct node *n)
{
	uint64_t end = node_now_us() + HELLO_US;
	const char *why;

	for (;;) {
		if (p4a_hello(n->ctx) < 0)
			arg_fail("%s", p4a_last_error(n->ctx));
		if (!p4a_is_cold(n->ctx))
			return;
		if (!may_come(n->ctx) || node_now_us() > end)
			break;
		sleep(1);
	}
	p4a_why_cold(n->ctx, &why);
	printf("%s: tenant %u node %u runs cold: %s\n", n->cfg.name, n->cfg.self.tenant,
	       n->cfg.self.node, why);
}

static void open_library(const struct program *p, struct node *n)
{
	struct p4a_options opts = {
		.tenant = n->cfg.self.tenant, .node = n->cfg.self.node,
		.nodes = n->cfg.self.nodes, .depth = n->cfg.flows,
	};
	struct p4a_log_options log = { .dir = n->cfg.log, .sync = n->cfg.log_sync };
	struct p4a_error err;
	int rc = p4a_open(&n->ctx, &opts, &err);

	if (rc)
		arg_fail("%s", err.text);
	if (n->cfg.log && p4a_log_open(n->ctx, &log))
		arg_fail("%s", p4a_last_error(n->ctx));
	make_layout(p, n);
	greet_allocator(n);
}

static void open_node(struct node *n, struct link **links)
{
	const struct peer_self *self = &n->cfg.self;
	const char *step;
	int rc;

	rc = link_open(&links[0], self->tenant, ntohs(addrs[self->node].sin_port), &step);
	if (!rc)
		rc = link_open(&links[1], self->tenant, 0, &step);
	if (rc)
		arg_fail("Homa socket of tenant %u: %s: %s", self->tenant, step, strerror(-rc));
	n->store = store_new(self->keys, n->cfg.start, self->nodes, self->node);
	n->client = peer_client_new(self, links[1], addrs);
	if (n->cfg.history)
		n->log = history_create(n->cfg.history, &(struct history_head){
			.tenant = self->tenant, .keys = self->keys, .txns = n->trace.txns,
			.node = self->node, .nodes = self->nodes, .start = n->cfg.start });
	if (n->cfg.history && !n->log)
		arg_fail("%s: %s", n->cfg.history, strerror(errno));
	if (!n->store || !n->client)
		arg_fail("%s", strerror(ENOMEM));
	n->server = peer_serve_start(self, links[0], n->store);
	if (!n->server)
		arg_fail("%s", strerror(ENOMEM));
}

static void close_node(struct node *n, struct link **links)
{
	sleep(1);	/* the kernel may still have to repeat our last answers to peers */
	node_free(n);
	link_close(links[0]);
	link_close(links[1]);
}

int program_run(const struct program *p, struct node *n, int argc, char **argv)
{
	struct link *links[2];
	int rc, rc_history = 0, rc_summary;

	n->cfg.name = p->name;
	parse(p, &n->cfg, argc, argv);
	p->prepare(n);
	open_node(n, links);
	open_library(p, n);
	rc = peer_greet(n->client, GREET_MS);
	if (rc)
		node_fail(n, rc, "peers", peer_client_error(n->client));
	else
		rc = node_run(n);
	if (n->log)
		rc_history = history_close(n->log);
	rc_summary = report_summary(n);
	if (rc)
		fprintf(stderr, "%s: tenant %u node %u: %s\n", p->name, n->cfg.self.tenant,
			n->cfg.self.node, n->error);
	if (rc_history)
		fprintf(stderr, "%s: %s: %s\n", p->name, n->cfg.history, strerror(-rc_history));
	if (rc_summary)
		fprintf(stderr, "%s: %s: %s\n", p->name, n->cfg.summary, strerror(-rc_summary));
	close_node(n, links);
	return rc || rc_history || rc_summary ? 1 : 0;
}
