// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many transactions at once, most of them over the same few cells and lock bits, some of them sent
 * twice. Afterwards the committed ones are run in the model one by one in the order of their
 * serials: all results and all cells must be the same, which they are only if each was atomic, each
 * took effect once, and lock bits kept the second passes apart.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"

#define FLOWS	16
#define EACH	1500		/* transactions of a flow */
#define HOT	16		/* cells of each register; cell c is lock bit c */

struct done {
	struct frame request, reply;
	bool answered;
};

static struct done done[FLOWS][EACH + 1];
static unsigned int sent[FLOWS];	/* the last number of each flow */

static void add_instr(struct frame *f, int place, bool second)
{
	unsigned int cell = rand() % HOT;
	unsigned int op = 1 + rand() % (second ? 3 : 4);

	instr(f, place, place % model.registers, second ? op | P4W_OP_SECOND_PASS : op, cell,
	      rand() % 20 - 9);
	f->txn.lock_check |= htonl(1u << cell);
	if (second)
		f->txn.lock_acquire |= htonl(1u << cell);
}

static void make_request(struct frame *f, unsigned int flow)
{
	int nr = 1 + rand() % 5;
	bool two_passes = rand() % 2;

	request(f, flow);
	for (int k = 0; k < nr; k++)
		add_instr(f, k, two_passes && k >= nr / 2);
}

static void send_next(unsigned int flow)
{
	struct done *d = &done[flow][++sent[flow]];

	make_request(&d->request, flow);
	d->request.txn.seq = htonl(sent[flow]);
	d->request.src[5] += flow & 1 ? 4 : 0;
	host_send(host[flow & 1], &d->request, sizeof(d->request));
	if (rand() % 5 == 0)
		host_send(host[flow & 1], &d->request, sizeof(d->request));
}

/* False: the reply is not one of ours, or differs from the one that came before. */
static bool take_reply(const struct frame *got, bool *fresh)
{
	unsigned int flow = ntohl(got->txn.flow), seq = ntohl(got->txn.seq);
	struct frame again;
	struct done *d;

	if (got->txn.common.type != P4W_TXN_REPLY || flow >= FLOWS || seq > sent[flow] || !seq)
		return false;
	d = &done[flow][seq];
	*fresh = !d->answered;
	if (*fresh) {
		d->answered = true;
		d->reply = *got;
		return true;
	}
	again = d->reply;
	again.txn.retries = got->txn.retries;	/* not kept for replays */
	return !memcmp(&again, got, sizeof(again));
}

/* From either host; false: nothing came. */
static bool next_reply(struct frame *got)
{
	for (int waited = 0; waited < PATIENCE_MS; waited++)
		if (host_recv(host[0], got, sizeof(*got), 0) ||
		    host_recv(host[1], got, sizeof(*got), 1))
			return true;
	return false;
}

static bool run_all(unsigned int *replies)
{
	unsigned int answered = 0;
	struct frame got;
	bool fresh;

	for (unsigned int flow = 0; flow < FLOWS; flow++)
		send_next(flow);
	while (answered < FLOWS * EACH) {
		if (!next_reply(&got) || !take_reply(&got, &fresh))
			return false;
		++*replies;
		answered += fresh;
		if (fresh && sent[ntohl(got.txn.flow)] < EACH)
			send_next(ntohl(got.txn.flow));
	}
	return quiet(0) && quiet(1);	/* replies to what was sent twice */
}

static int by_serial(const void *a, const void *b)
{
	uint64_t x = be64toh((*(struct done *const *)a)->reply.txn.serial);
	uint64_t y = be64toh((*(struct done *const *)b)->reply.txn.serial);

	return x < y ? -1 : x > y;
}

static bool replay_in_model(struct done **committed, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct p4w_txn want = committed[i]->request.txn;

		model_run(&model, &want);
		want.retries = committed[i]->reply.txn.retries;
		if (memcmp(&want, &committed[i]->reply.txn, sizeof(want))) {
			printf("# serial %llu, flow %u seq %u differs from the model\n",
			       (unsigned long long)be64toh(committed[i]->reply.txn.serial),
			       ntohl(want.flow), ntohl(want.seq));
			return false;
		}
	}
	return true;
}

/* An abort has read its cells, too. */
static void count_reads(const struct p4w_txn *t)
{
	for (int k = 0; k < P4W_INSTRS; k++)
		if (t->instr[k].op && !(t->instr[k].op & P4W_OP_SECOND_PASS))
			model.access[ntohs(t->instr[k].cell) / P4W_BLOCK_SLOTS]++;
}

/* The model has seen the committed ones only; each flow remembers its last, whatever it was. */
static void record_last(unsigned int flow)
{
	const struct p4w_txn *t = &done[flow][EACH].reply.txn;
	struct model_flow *f = &model.flow[flow];

	f->state = 1ull << P4W_FLOW_TENANT_SHIFT |
		   (uint64_t)(P4W_FLOW_DONE | t->status) << P4W_FLOW_STATE_SHIFT | EACH;
	f->serial = be64toh(t->serial);
	for (int k = 0; k < P4W_INSTRS; k++)
		f->result[k] = ntohl(t->instr[k].result);
}

void test_contention(void)
{
	static struct done *committed[FLOWS * EACH];
	unsigned int nr = 0, other[6] = { 0 }, waited = 0, two_passes = 0, replies = 0;
	bool good;

	give_flows(1, 0, FLOWS);
	good = run_all(&replies);
	ok_if(good, "contention: %u transactions in %u flows at once, %u replies", FLOWS * EACH,
	      FLOWS, replies);
	for (unsigned int flow = 0; flow < FLOWS; flow++) {
		for (unsigned int seq = 1; seq <= EACH; seq++) {
			struct done *d = &done[flow][seq];

			other[d->reply.txn.status % 6]++;
			waited += d->reply.txn.retries > 0;
			if (d->reply.txn.status == P4W_TXN_ABORT)
				count_reads(&d->request.txn);
			if (d->reply.txn.status != P4W_TXN_OK)
				continue;
			two_passes += !!d->request.txn.lock_acquire;
			committed[nr++] = d;
		}
	}
	ok_if(nr + other[P4W_TXN_CONFLICT] + other[P4W_TXN_ABORT] == FLOWS * EACH && waited &&
		      two_passes,
	      "%u committed, %u with two passes; %u aborts, %u conflicts, %u waited for lock bits",
	      nr, two_passes, other[P4W_TXN_ABORT], other[P4W_TXN_CONFLICT], waited);
	qsort(committed, nr, sizeof(committed[0]), by_serial);
	ok_if(good && replay_in_model(committed, nr),
	      "one by one in serial order the model agrees");
	for (unsigned int flow = 0; flow < FLOWS; flow++)
		record_last(flow);
	ok_if(state_agrees(), "contention: all arrays");
	for (unsigned int flow = 0; flow < FLOWS; flow++)
		set_flow(flow, model.flow[flow].state);
}
