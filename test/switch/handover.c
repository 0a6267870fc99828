// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands in the middle of traffic: what they read is never half of a transaction, and behind a
 * fence and a drain nothing of the old owner's is still to come.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "drive.h"

#define FLOWS	16
#define READS	300
#define FENCES	40
#define CELL	60

/* The reply's status, or -1. */
static int take_reply(int timeout_ms, unsigned int *flow)
{
	struct frame got;

	if (host_recv(host[0], &got, sizeof(got), timeout_ms) != sizeof(got))
		return -1;
	*flow = ntohl(got.txn.flow);
	return got.txn.status;
}

static uint64_t value(struct json_object *o, int result, int nth)
{
	struct json_object *one =
		json_object_array_get_idx(json_object_object_get(o, "results"), result);
	struct json_object *list = json_object_object_get(one, "values");

	return json_object_get_uint64(json_object_array_get_idx(list, nth));
}

/* The same is added to two registers. */
static void send_pair(unsigned int flow)
{
	struct frame f;

	request(&f, flow);
	instr(&f, 0, 0, P4W_OP_ADD, CELL, 1);
	instr(&f, 7, 1, P4W_OP_ADD, CELL, 1);
	host_send(host[0], &f, sizeof(f));
}

static void test_reads(void)
{
	unsigned int flow, unequal = 0, moved = 0;
	uint64_t before = 0;

	for (flow = 0; flow < FLOWS; flow++)
		send_pair(flow);
	for (int i = 0; i < READS; i++) {
		struct json_object *o = control_ask(
			"{\"cmd\":\"batch\",\"cmds\":["
			"{\"cmd\":\"reg_read\",\"array\":\"r0\",\"index\":%d,\"count\":1},"
			"{\"cmd\":\"reg_read\",\"array\":\"r1\",\"index\":%d,\"count\":1}]}",
			CELL, CELL);

		unequal += value(o, 0, 0) != value(o, 1, 0);
		moved += value(o, 0, 0) != before;
		before = value(o, 0, 0);
		json_object_put(o);
		while (take_reply(0, &flow) == P4W_TXN_OK)
			send_pair(flow);
	}
	ok_if(!unequal && moved > READS / 10, "%d reads between transactions, %u found new values",
	      READS, moved);
	ok_if(quiet(0), "all of them end");
}

/* One bit for two flows each, so that some wait for others. */
static void send_two_passes(unsigned int flow)
{
	struct frame f;

	request(&f, flow);
	f.txn.lock_check = f.txn.lock_acquire = htonl(1u << flow / 2);
	instr(&f, 0, 0, P4W_OP_WRITE, CELL + 1, flow);
	instr(&f, 1, 2, P4W_OP_ADD | P4W_OP_SECOND_PASS, CELL + 1, 1);
	host_send(host[0], &f, sizeof(f));
}

/* A burst, and the fence while it is inside. Adds the committed ones to *committed. */
static bool fence_once(uint64_t *committed, unsigned int *stale)
{
	struct json_object *o;
	uint64_t drained, lock, later;
	unsigned int flow;

	for (flow = 0; flow < FLOWS; flow++)
		send_two_passes(flow);
	o = control_ask("{\"cmd\":\"batch\",\"cmds\":["
			"{\"cmd\":\"reg_write\",\"array\":\"owner\",\"index\":0,\"values\":[0]},"
			"{\"cmd\":\"drain\"},"
			"{\"cmd\":\"reg_read\",\"array\":\"r2\",\"index\":%d,\"count\":1},"
			"{\"cmd\":\"reg_read\",\"array\":\"lock\",\"index\":0,\"count\":1}]}",
			CELL + 1);
	drained = value(o, 2, 0);
	lock = value(o, 3, 0);
	json_object_put(o);
	for (int i = 0; i < FLOWS; i++) {
		int status = take_reply(PATIENCE_MS, &flow);

		*committed += status == P4W_TXN_OK;
		*stale += status == P4W_TXN_STALE;
		if (status < 0)
			return false;
	}
	control_read("r2", CELL + 1, 1, &later);
	set_owner(0, 1, 5);
	if (!lock && drained == later && later == *committed)
		return true;
	printf("# lock %llx, drained %llu, later %llu, committed %llu\n", (unsigned long long)lock,
	       (unsigned long long)drained, (unsigned long long)later,
	       (unsigned long long)*committed);
	return false;
}

static void test_fences(void)
{
	uint64_t committed = 0;
	unsigned int stale = 0, i;
	bool good = true;

	for (i = 0; i < FENCES && good; i++)
		good = fence_once(&committed, &stale);
	ok_if(good, "%u fences into bursts: %llu committed before, %u stale behind", i,
	      (unsigned long long)committed, stale);
}

static void clear_cells(void)
{
	static const char *const name[] = { "r0", "r1", "r2" };

	for (int reg = 0; reg < 3; reg++)
		for (int cell = CELL; cell <= CELL + 1; cell++) {
			control_write(name[reg], cell, 0);
			model.cell[reg][cell] = 0;
		}
}

/* Who was first is not known here, so the model does not follow: both begin anew. */
static void forget(void)
{
	give_flows(1, 0, FLOWS);
	for (unsigned int flow = 0; flow < FLOWS; flow++) {
		memset(&model.flow[flow].result, 0, sizeof(model.flow[flow].result));
		model.flow[flow].serial = 0;
	}
	for (int k = 0; k < P4W_INSTRS; k++)
		json_object_put(control_ask("{\"cmd\":\"reg_fill\",\"array\":\"flow_result%d\","
					    "\"index\":0,\"count\":%d,\"value\":0}", k, FLOWS));
	json_object_put(control_ask("{\"cmd\":\"reg_fill\",\"array\":\"flow_serial\",\"index\":0,"
				    "\"count\":%d,\"value\":0}", FLOWS));
	clear_cells();
	control_read("serial", 0, 1, &model.serial[0]);
	control_read("access", 0, 1, &model.access[0]);
}

void test_handover(void)
{
	clear_cells();
	test_reads();
	test_fences();
	forget();
	ok_if(state_agrees(), "hand-over: all other cells");
}
