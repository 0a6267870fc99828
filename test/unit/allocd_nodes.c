// SPDX-License-Identifier: GPL-2.0-or-later
/* allocd_nodes.c - see allocd_nodes.h. */
#include <arpa/inet.h>
#include <endian.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocd_nodes.h"
#include "../../tools/p4allocd/log.h"
#include "../../tools/p4allocd/loop.h"
#include "../../tools/p4switch/command.h"
#include "../../tools/p4switch/control.h"

#define BLOCKS 8
#define FLOWS 64
#define CELLS (BLOCKS * P4W_BLOCK_SLOTS)
#define KEYS 5

struct nodes_shared *nodes;

static void wrong(const char *fmt, ...)
{
	va_list args;

	if (nodes->wrong[0])
		return;
	va_start(args, fmt);
	vsnprintf(nodes->wrong, sizeof(nodes->wrong), fmt, args);
	va_end(args);
}

/* ----------------------------------------------------------------------------------- the switch */

enum { OWNER, SERIAL, LOCK, ACCESS, FLOW, FLOW_SERIAL, R0, NR_ARRAYS };

static struct spec_array arrays[NR_ARRAYS] = {
	{ .name = "owner", .size = BLOCKS }, { .name = "serial", .size = BLOCKS },
	{ .name = "lock", .size = BLOCKS }, { .name = "access", .size = BLOCKS },
	{ .name = "flow_state", .size = FLOWS }, { .name = "flow_serial", .size = FLOWS },
	{ .name = "r0", .size = CELLS },
};
static const struct spec spec = { .file = "p.spec", .arrays = arrays, .nr_arrays = NR_ARRAYS };
static uint64_t (*cell)[CELLS];		/* shared, too */
static struct target *target;		/* likewise */
static char sw_path[64];
static pid_t sw_pid;

static uint64_t read_cell(struct target *t, const struct spec_array *a, uint32_t index)
{
	return cell[a - arrays][index];
}

static void write_cell(struct target *t, const struct spec_array *a, uint32_t index, uint64_t v)
{
	uint64_t was = cell[a - arrays][index];

	if (a == &arrays[OWNER] && v && was && v >> P4W_EPOCH_BITS != was >> P4W_EPOCH_BITS)
		wrong("block %u is given to %llu while %llu has it", index,
		      (unsigned long long)v >> P4W_EPOCH_BITS,
		      (unsigned long long)was >> P4W_EPOCH_BITS);
	cell[a - arrays][index] = v;
}

static void drain(struct target *t)
{
}

static int port_get(struct target *t, unsigned int nth, struct target_port *port)
{
	return -1;
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static void switch_main(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (true)
		if (control_wait(100000, NULL))
			control_serve(target);
}

void nodes_create(void)
{
	char err[128];

	nodes = shared(sizeof(*nodes));
	cell = shared(NR_ARRAYS * sizeof(*cell));
	target = shared(sizeof(*target));
	*target = (struct target){
		.spec = &spec, .boot = 77, .nr_ports = 14, .read = read_cell, .write = write_cell,
		.drain = drain, .port_get = port_get,
	};
	snprintf(sw_path, sizeof(sw_path), "/tmp/allocd_nodes.%d", getpid());
	if (control_open(sw_path, err, sizeof(err)))
		abort();
	sw_pid = fork();
	if (sw_pid < 0)
		abort();
	if (!sw_pid)
		switch_main();
}

/* What those have said who are gone is done, or never will be: see control.h. */
static void settle_switch(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char c;

	strcpy(a.sun_path, sw_path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) || write(fd, "{}\n", 3) != 3 ||
	    read(fd, &c, 1) != 1)
		abort();
	close(fd);
}

void nodes_begin(void)
{
	settle_switch();
	memset(nodes, 0, sizeof(*nodes));
	memset(cell, 0, NR_ARRAYS * sizeof(*cell));
	target->boot++;
	target->term = 0;
}

void nodes_end(void)
{
	kill(sw_pid, SIGKILL);
	waitpid(sw_pid, NULL, 0);
	control_close();
}

/* ------------------------------------------------------------------------------ what nodes say */

static struct p4d_service *service;
static struct p4d_loop *the_loop;
static uint64_t last_rpc;
static uint32_t generation;

static void transmit(uint32_t id, const void *bytes, size_t len)
{
	struct p4d_who who = { .rpc = ++last_rpc };

	nodes->node[id].rpc = who.rpc;
	p4d_service_message(service, id, &who, bytes, len);
}

static struct p4w_msg head(uint8_t type, size_t len, uint32_t batch, uint32_t code)
{
	return (struct p4w_msg){ P4W_VERSION, type, htons(len), 0, htons(1), htonl(batch),
				 htonl(code) };
}

static void say(uint32_t id, uint8_t type, uint32_t batch, uint32_t code)
{
	struct p4w_msg m = head(type, sizeof(m), batch, code);

	transmit(id, &m, sizeof(m));
}

/* No two fit beside each other. The sleeper alone can be fenced: the others declare long times. */
static void ask(uint32_t id)
{
	struct p4w_request m = {
		.msg = head(P4W_REQUEST, sizeof(m), nodes->node[id].batch, 0),
		.duration_us = htonl(id == SLEEPER ? 5000 : 20000000),
		.min_blocks = htons(BLOCKS / 2 + 1), .want_blocks = htons(BLOCKS),
		.flows = htonl(4),
	};

	transmit(id, &m, sizeof(m));
}

static void list(uint32_t id)
{
	struct {
		struct p4w_lock_info m;
		struct p4w_lock_key key[KEYS];
	} m = { 0 };

	m.m.msg = head(P4W_LOCK_INFO, sizeof(m), nodes->node[id].batch, 0);
	m.m.nr_keys = htons(KEYS);
	for (int i = 0; i < KEYS; i++)
		m.key[i] = (struct p4w_lock_key){ htobe64(i * 7 + id), htonl(1 + last_rpc % 9) };
	transmit(id, &m, sizeof(m));
}

static void lock(uint32_t id, uint8_t type)
{
	struct p4w_lock m = {
		.msg = head(type, sizeof(m), 0, type == P4W_LOCK ? P4W_LOCK_EXCLUSIVE : 0),
		.owner = htobe64(nodes->node[id].batch + 1), .name = "name",
		.token = htobe64(type == P4W_LOCK ? 0 : nodes->node[id].token),
		.lease_us = htonl(type == P4W_LOCK ? 1000 : 0),
		.wait_us = htonl(type == P4W_LOCK ? 100000 : 0),
	};

	transmit(id, &m, sizeof(m));
}

static uint32_t batches_of_others(uint32_t id)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i <= NODES; i++)
		n += i != id ? nodes->node[i].batches : 0;
	return n;
}

/* What is left of its last batch in escrow belongs to it. */
static bool is_done(uint32_t id, uint32_t batches)
{
	return nodes->node[id].batches >= batches && nodes->node[id].state == N_ASK;
}

static bool others_are_done(uint32_t id, uint32_t batches)
{
	for (uint32_t i = 1; i <= NODES; i++)
		if (i != id && !is_done(i, batches))
			return false;
	return true;
}

static void act(uint32_t id, uint32_t batches)
{
	struct nodes_node *n = &nodes->node[id];

	switch (n->state) {
	case N_HELLO:
		say(id, P4W_HELLO, 0, 0);
		break;
	case N_FETCH:
		say(id, P4W_FETCH, P4W_BATCH_MAX, 0);
		break;
	case N_ACK:
		say(id, P4W_FETCH, P4W_BATCH_MAX, n->fetched);
		break;
	case N_ASK:
		ask(id);
		break;
	case N_WAIT:
		say(id, P4W_WAIT, n->batch, 0);
		break;
	case N_LIST:
		list(id);
		break;
	case N_FILL:
		say(id, P4W_SYNC, n->batch, P4W_PHASE_FILLED);
		break;
	case N_LOCK:
	case N_UNLOCK:
		lock(id, n->state == N_LOCK ? P4W_LOCK : P4W_UNLOCK);
		break;
	case N_RUN:
		if (id != SLEEPER || batches_of_others(id) > n->others + n->batch % 2 ||
		    others_are_done(id, batches))
			say(id, P4W_SYNC, n->batch, P4W_PHASE_RAN);
		break;
	case N_DONE:
		n->epoch = 0;
		n->written = 0;
		say(id, P4W_DONE, n->batch, 0);
		break;
	}
}

/* ----------------------------------------------------------------------- what nodes are told */

static void on_granted(uint32_t id, const struct p4w_granted *g)
{
	struct nodes_node *n = &nodes->node[id], *o;
	uint64_t epoch = be64toh(g->epoch);
	struct p4d_blocks blocks;

	p4d_blocks_from_wire(&blocks, g->bitmap);
	if (n->epoch && (n->epoch != epoch || memcmp(&n->blocks, &blocks, sizeof(blocks)) ||
			 n->flow_first != ntohl(g->flow_first)))
		wrong("tenant %u batch %u: two different grants", id, n->batch);
	if (!n->epoch && epoch <= nodes->epoch_max)
		wrong("tenant %u batch %u: epoch %llu after %llu", id, n->batch,
		      (unsigned long long)epoch, (unsigned long long)nodes->epoch_max);
	for (uint32_t i = 1; i <= NODES; i++) {
		o = &nodes->node[i];
		p4d_blocks_each(&blocks, b)
			if (i != id && i != SLEEPER && o->epoch && p4d_blocks_has(&o->blocks, b))
				wrong("block %u: of tenants %u and %u", b, i, id);
	}
	p4d_blocks_each(&blocks, b)
		if (cell[OWNER][b] != p4d_owner_word(id, epoch))
			wrong("block %u: the switch was not told", b);
	if (epoch > nodes->epoch_max)
		nodes->epoch_max = epoch;
	nodes->grants += !n->epoch;
	n->blocks = blocks;
	n->flow_first = ntohl(g->flow_first);
	n->flow_count = ntohl(g->flow_count);
	n->epoch = epoch;
	n->bits = 0;
	n->state = N_LIST;
}

/* Asked for twice in each batch, the second time with other counts. */
static void on_bits(uint32_t id, const struct p4w_locks *m)
{
	struct nodes_node *n = &nodes->node[id];
	uint64_t sum = 1;

	for (unsigned int i = 0; i < ntohs(m->nr_keys); i++)
		sum = sum * 31 + be64toh(m->key[i].key) * 64 + m->key[i].bit;
	if (n->bits && n->bits != sum)
		wrong("tenant %u batch %u: other lock bits than before", id, n->batch);
	n->state = n->bits ? N_FILL : N_LIST;
	n->bits = sum;
}

/* The cells are filled, and the switch runs a transaction in the first of them. */
static void on_filled(uint32_t id)
{
	struct nodes_node *n = &nodes->node[id];
	unsigned int home = p4d_blocks_next(&n->blocks, 0);

	n->others = batches_of_others(id);
	n->state = N_LOCK;
	if (cell[OWNER][home] != p4d_owner_word(id, n->epoch))
		return;			/* STALE */
	n->written = n->epoch << 8 | id;
	cell[R0][home * P4W_BLOCK_SLOTS] = n->written;
}

static void on_synced(uint32_t id)
{
	struct nodes_node *n = &nodes->node[id];

	if (n->state == N_FILL)
		on_filled(id);
	else
		n->state = N_DONE;
}

static void on_locked(uint32_t id, const struct p4w_locked *m)
{
	struct nodes_node *n = &nodes->node[id];

	n->token = be64toh(m->token);
	if (n->token <= nodes->token_max)
		wrong("token %llu after %llu", (unsigned long long)n->token,
		      (unsigned long long)nodes->token_max);
	nodes->token_max = n->token;
	n->state = N_UNLOCK;
}

static void on_escrow(uint32_t id, const struct p4w_escrow *m)
{
	struct nodes_node *n = &nodes->node[id];

	if (n->state == N_ACK) {
		n->written = 0;
		nodes->fetched++;
		n->state = N_ASK;
		return;
	}
	n->fetched = ntohl(m->total);
	n->state = N_ACK;
	if (n->written && (!ntohl(m->count) || ntohl(m->entry[0].value) != n->written))
		wrong("tenant %u batch %u: not in escrow", id, n->batch);
}

static void on_welcome(uint32_t id, const struct p4w_welcome *m)
{
	struct nodes_node *n = &nodes->node[id];

	if (n->written && !ntohl(m->escrow))
		wrong("tenant %u batch %u: nothing in escrow", id, n->batch);
	n->batch = ntohl(m->msg.batch);
	n->epoch = 0;
	n->state = ntohl(m->escrow) ? N_FETCH : N_ASK;
}

static void on_refused(uint32_t id, const struct p4w_refused *m)
{
	struct nodes_node *n = &nodes->node[id];

	switch (ntohl(m->msg.code)) {
	case P4W_REFUSED_EXPIRED:
		if (n->state == N_UNLOCK) {
			n->state = N_RUN;
			break;
		}
		if (id != SLEEPER)
			wrong("tenant %u batch %u expired: %s", id, n->batch, m->text);
		nodes->expired++;
		n->batches++;
		n->state = N_HELLO;
		break;
	case P4W_REFUSED_BUSY:
	case P4W_REFUSED_SWITCH:
	case P4W_REFUSED_STORE:
		break;				/* says it again */
	default:
		wrong("tenant %u batch %u state %u: refused: %s: %s", id, n->batch, n->state,
		      m->field, m->text);
	}
}

static void note(uint32_t id, const void *bytes)
{
	const struct p4w_msg *m = bytes;
	struct nodes_node *n = &nodes->node[id];

	n->rpc = 0;
	nodes->answers++;
	switch (m->type) {
	case P4W_WELCOME:
		on_welcome(id, bytes);
		break;
	case P4W_ESCROW:
		on_escrow(id, bytes);
		break;
	case P4W_RESERVED:
		n->state = N_WAIT;
		break;
	case P4W_GRANTED:
		on_granted(id, bytes);
		break;
	case P4W_LOCKS:
		on_bits(id, bytes);
		break;
	case P4W_SYNCED:
		on_synced(id);
		break;
	case P4W_LOCKED:
		on_locked(id, bytes);
		break;
	case P4W_UNLOCKED:
		n->state = N_RUN;
		break;
	case P4W_FREED:
		n->batches++;
		n->batch++;
		n->state = N_ASK;
		break;
	case P4W_REFUSED:
		on_refused(id, bytes);
		break;
	}
}

/* Here an answer leaves: a call of the system before and after it, at which a tracer may kill. */
static void on_reply(void *arg, const struct p4d_who *who, const void *bytes, size_t len)
{
	getppid();
	if (generation != nodes->generation) {
		nodes->late++;
		return;
	}
	for (uint32_t id = 1; id <= NODES; id++)
		if (nodes->node[id].rpc == who->rpc)
			note(id, bytes);
	getppid();
	p4d_loop_stop(the_loop);
}

/* --------------------------------------------------------------------------------- the child */

static void on_until(struct p4d_timer *t)
{
	p4d_loop_stop(the_loop);
}

static void after(void *arg)
{
	p4d_service_flush(service);
}

void nodes_work(struct p4d_loop *loop, struct p4d_service_conf *conf, uint32_t batches)
{
	struct p4d_timer until = { .at = UINT64_MAX, .due = on_until };
	struct p4d_policy policy = { 60000000, 500 };
	bool all = false;
	char err[256];

	conf->switch_path = sw_path;
	conf->switch_ops = &p4d_switch_soft;
	conf->reply = on_reply;
	generation = nodes->generation;
	the_loop = loop;
	if (p4d_service_open(&service, loop, conf, err, sizeof(err))) {
		wrong("%s", err);
		_exit(1);
	}
	p4d_loop_timer(loop, &until);
	p4d_engine_policy(p4d_service_engine(service), p4d_now(), &policy);
	for (uint32_t id = 1; id <= NODES; id++) {
		struct p4d_tenant_conf tenant = { id, "t", 100, 0, 256 };

		p4d_engine_tenant(p4d_service_engine(service), p4d_now(), &tenant);
		nodes->node[id].rpc = 0;	/* what was asked before is never answered */
	}
	while ((!all || generation != nodes->generation) && !nodes->wrong[0]) {
		all = true;
		for (uint32_t id = 1; id <= NODES; id++) {
			if (is_done(id, batches))
				continue;
			all = false;
			if (!nodes->node[id].rpc)
				act(id, batches);
		}
		p4d_service_flush(service);
		until.at = p4d_now() + 2000;
		p4d_loop_run(loop, after, NULL);
	}
	p4d_service_close(service);
}
