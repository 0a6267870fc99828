// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * p4ycsb - one database node of a tenant: runs its trace in batches, hot keys in the switch.
 *
 * Exit status: 0 all transactions of the trace have a fate and the history is complete; 1 it had to
 * give up, and says why; 2 an argument or a file is wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "node.h"

#define GREET_MS 60000
#define HELLO_US 30000000ull	/* for allocator and switch, which may be only just starting */

struct options {
	struct node_config node;
	struct sockaddr_in addr[PEER_NODES_MAX];
	const char *trace, *counts;
};

static const char usage[] =
	"usage: p4ycsb --tenant ID --node N --peers ADDR:PORT,... --trace FILE --counts FILE\n"
	"              --history FILE --summary FILE [OPTION VALUE]...\n"
	"  --peers LIST       all nodes of the tenant in order, this one included\n"
	"  --trace FILE       transactions of this node\n"
	"  --counts FILE      key:count of all nodes, the same file at all of them\n"
	"  --history FILE     written: for p4oracle\n"
	"  --summary FILE     written: figures, JSON\n"
	"  --keys N           keys are 0 .. N-1 (1000000)\n"
	"  --batches N        batches that the trace is split into (4)\n"
	"  --want-blocks N    blocks of the switch to ask for (1)\n"
	"  --flows N          transactions outstanding in the switch (32)\n"
	"  --duration-us N    how long the blocks are needed, to declare (1000000)\n"
	"  --log DIR          keep a log there; all nodes the same directory. Values that a\n"
	"                     switch has lost come back from it\n"
	"  --log-sync N       0: it outlives this process (0), 1: and the host\n";

static void parse_peers(struct options *o, const char *list)
{
	char *copy = strdup(list), *save = NULL;

	for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		struct sockaddr_in *a = &o->addr[o->node.self.nodes];
		char *colon = strchr(p, ':');

		if (o->node.self.nodes == PEER_NODES_MAX)
			arg_fail("--peers names more than %u nodes", PEER_NODES_MAX);
		if (!colon)
			arg_fail("--peers has '%s', must be ADDR:PORT", p);
		*colon = 0;
		a->sin_family = AF_INET;
		if (inet_pton(AF_INET, p, &a->sin_addr) != 1)
			arg_fail("--peers has address '%s', must be IPv4", p);
		a->sin_port = htons(arg_number("--peers: port", colon + 1, 1, 32767));
		o->node.self.nodes++;
	}
	free(copy);
}

static void set_number(struct options *o, const char *name, const char *v)
{
	struct node_config *c = &o->node;
	char option[32];

	snprintf(option, sizeof(option), "--%s", name);
	if (!strcmp(name, "tenant"))
		c->self.tenant = arg_number(option, v, 1, 0xffffff);
	else if (!strcmp(name, "node"))
		c->self.node = arg_number(option, v, 0, PEER_NODES_MAX - 1);
	else if (!strcmp(name, "keys"))
		c->self.keys = arg_number(option, v, 1, TRACE_KEYS_MAX);
	else if (!strcmp(name, "batches"))
		c->batches = arg_number(option, v, 1, 900);
	else if (!strcmp(name, "want-blocks"))
		c->want_blocks = arg_number(option, v, 1, P4A_MAX_BLOCKS);
	else if (!strcmp(name, "flows"))
		c->flows = arg_number(option, v, 1, 4096);
	else if (!strcmp(name, "duration-us"))
		c->duration_us = arg_number(option, v, 1, 60000000);
	else if (!strcmp(name, "log-sync"))
		c->log_sync = arg_number(option, v, P4A_LOG_PROCESS, P4A_LOG_HOST);
}

static void set_text(struct options *o, const char *name, const char *v)
{
	if (!strcmp(name, "peers"))
		parse_peers(o, v);
	else if (!strcmp(name, "trace"))
		o->trace = v;
	else if (!strcmp(name, "counts"))
		o->counts = v;
	else if (!strcmp(name, "history"))
		o->node.history = v;
	else if (!strcmp(name, "summary"))
		o->node.summary = v;
	else if (!strcmp(name, "log"))
		o->node.log = v;
}

static void check(const struct options *o)
{
	const struct peer_self *self = &o->node.self;

	if (!self->tenant)
		arg_fail("--tenant is missing, must be 1 .. 16777215");
	if (!self->nodes)
		arg_fail("--peers is missing, must be ADDR:PORT,...");
	if (self->node >= self->nodes)
		arg_fail("--node is %u, must be 0 .. %u (--peers names %u nodes)", self->node,
			 self->nodes - 1, self->nodes);
	if (!o->trace || !o->counts || !o->node.history || !o->node.summary)
		arg_fail("--trace, --counts, --history and --summary must be given");
}

static struct options parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "tenant", 1, NULL, 'n' }, { "node", 1, NULL, 'n' }, { "keys", 1, NULL, 'n' },
		{ "batches", 1, NULL, 'n' }, { "want-blocks", 1, NULL, 'n' },
		{ "flows", 1, NULL, 'n' }, { "duration-us", 1, NULL, 'n' },
		{ "peers", 1, NULL, 't' }, { "trace", 1, NULL, 't' }, { "counts", 1, NULL, 't' },
		{ "history", 1, NULL, 't' }, { "summary", 1, NULL, 't' },
		{ "log", 1, NULL, 't' }, { "log-sync", 1, NULL, 'n' },
		{ "help", 0, NULL, 'h' }, { 0 },
	};
	struct options o = { .node = { .self = { .keys = 1000000 }, .batches = 4,
				       .want_blocks = 1, .flows = 32, .duration_us = 1000000 } };
	int c, which = 0;

	while ((c = getopt_long(argc, argv, "h", longs, &which)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(0);
		} else if (c == 'n') {
			set_number(&o, longs[which].name, optarg);
		} else if (c == 't') {
			set_text(&o, longs[which].name, optarg);
		} else {
			exit(2);
		}
	}
	if (optind < argc)
		arg_fail("'%s' is not an option", argv[optind]);
	check(&o);
	return o;
}

/* Layout and own hot keys, if the switch's geometry is known; else everything stays cold. */
static void make_layout(struct node *n, const char *counts)
{
	struct p4a_geometry geo;
	struct p4a_cell cell;
	struct p4a_error err;
	uint32_t pos = 0;

	if (p4a_geometry(n->ctx, &geo))
		return;
	if (n->cfg.want_blocks > geo.blocks)
		arg_fail("--want-blocks is %u, must be 1 .. %u", n->cfg.want_blocks, geo.blocks);
	if (p4a_layout_from_file(&n->layout, &geo, counts, &err) < 0)
		arg_fail("%s", err.text);
	if (p4a_use_layout(n->ctx, n->layout))
		arg_fail("%s", p4a_last_error(n->ctx));
	n->hot_keys = calloc(geo.registers * n->cfg.want_blocks * P4A_BLOCK_SLOTS,
			     sizeof(*n->hot_keys));
	n->hot_kv = calloc(geo.registers * n->cfg.want_blocks * P4A_BLOCK_SLOTS,
			   sizeof(*n->hot_kv));
	if (!n->hot_keys || !n->hot_kv)
		arg_fail("%s", strerror(ENOMEM));
	while (p4a_layout_next(n->layout, 0, n->cfg.want_blocks, &pos, &cell))
		if (cell.key % n->cfg.self.nodes == n->cfg.self.node)
			n->hot_keys[n->nr_hot++] = cell.key;
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
	printf("p4ycsb: tenant %u node %u runs cold: %s\n", n->cfg.self.tenant, n->cfg.self.node,
	       why);
}

static void open_library(struct node *n, const char *counts)
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
	make_layout(n, counts);
	greet_allocator(n);
}

static void open_node(struct node *n, const struct options *o, struct link **links)
{
	const struct peer_self *self = &n->cfg.self;
	struct trace_error err;
	const char *step;
	int rc;

	if (trace_read(&n->trace, o->trace, self->keys, &err))
		arg_fail("%s", err.text);
	rc = link_open(&links[0], self->tenant, ntohs(o->addr[self->node].sin_port), &step);
	if (!rc)
		rc = link_open(&links[1], self->tenant, 0, &step);
	if (rc)
		arg_fail("Homa socket of tenant %u: %s: %s", self->tenant, step, strerror(-rc));
	n->store = store_new(self->keys, self->nodes, self->node);
	n->client = peer_client_new(self, links[1], o->addr);
	n->log = history_create(n->cfg.history, &(struct history_head){
		.tenant = self->tenant, .keys = self->keys, .txns = n->trace.txns,
		.node = self->node, .nodes = self->nodes });
	if (!n->log)
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
	p4a_close(n->ctx);
	p4a_layout_free(n->layout);
	peer_serve_stop(n->server);
	peer_client_free(n->client);
	link_close(links[0]);
	link_close(links[1]);
	store_free(n->store);
	trace_free(&n->trace);
	free(n->hot_keys);
	free(n->hot_kv);
	free(n->work);
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	static struct node n;
	struct link *links[2];
	int rc, rc_history, rc_summary;

	n.cfg = o.node;
	open_node(&n, &o, links);
	open_library(&n, o.counts);
	rc = peer_greet(n.client, GREET_MS);
	if (rc)
		node_fail(&n, rc, "peers", peer_client_error(n.client));
	else
		rc = node_run(&n);
	rc_history = history_close(n.log);
	rc_summary = report_summary(&n);
	if (rc)
		fprintf(stderr, "p4ycsb: tenant %u node %u: %s\n", n.cfg.self.tenant,
			n.cfg.self.node, n.error);
	if (rc_history)
		fprintf(stderr, "p4ycsb: %s: %s\n", n.cfg.history, strerror(-rc_history));
	if (rc_summary)
		fprintf(stderr, "p4ycsb: %s: %s\n", n.cfg.summary, strerror(-rc_summary));
	close_node(&n, links);
	return rc || rc_history || rc_summary ? 1 : 0;
}
