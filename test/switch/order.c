// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Losers of one lock bit: first come first served, nobody comes in between, and no packet is lost on
 * the loopback port. Two tenants that share slots and bits do not see each other's.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>

#include "drive.h"

#define FLOWS	16
#define ROUNDS	60
#define LOOPBACK 14		/* port */

/* Each of them wants bit 3 for its two passes. */
static void send_two_passes(unsigned int flow, unsigned int tenant, unsigned int cell)
{
	struct frame f;

	request(&f, flow);
	f.txn.owner = htobe64(owner_word(tenant, 5));
	f.txn.home = htons(cell / P4W_BLOCK_SLOTS);
	f.txn.lock_check = f.txn.lock_acquire = htonl(1u << 3);
	instr(&f, 0, 0, P4W_OP_ADD, cell, 1);
	instr(&f, 1, 1, P4W_OP_ADD | P4W_OP_SECOND_PASS, cell, 1);
	f.src[5] += flow & 1 ? 4 : 0;
	host_send(host[flow & 1], &f, sizeof(f));
}

struct seen {
	unsigned int replies, overtaken, conflicts, most;
};

/* Even flows are host 0's, odd ones host 1's; each host's are sent in ascending order. */
static void take_replies(int h, struct seen *s)
{
	uint64_t serial[FLOWS] = { 0 };
	struct frame got;

	for (int i = 0; i < FLOWS / 2; i++) {
		if (host_recv(host[h], &got, sizeof(got), PATIENCE_MS) != sizeof(got))
			return;
		s->replies++;
		s->conflicts += got.txn.status != P4W_TXN_OK;
		s->most = got.txn.retries > s->most ? got.txn.retries : s->most;
		serial[ntohl(got.txn.flow) % FLOWS] = be64toh(got.txn.serial);
	}
	for (int flow = h + 2; flow < FLOWS; flow += 2)
		s->overtaken += serial[flow] < serial[flow - 2];
}

/*
 * When a loser is in the ring, one more packet of each host can be inside at most: so many, and no
 * newcomer, can be before it.
 */
static void test_losers(void)
{
	uint64_t drop = control_port(LOOPBACK, "drop"), retries = control_counter("txn_retry");
	struct seen s = { 0 };

	for (int round = 0; round < ROUNDS; round++) {
		for (unsigned int flow = 0; flow < FLOWS; flow++)
			send_two_passes(flow, 1, 50);
		take_replies(0, &s);
		take_replies(1, &s);
	}
	retries = control_counter("txn_retry") - retries;
	ok_if(s.replies == ROUNDS * FLOWS && !s.conflicts && !s.overtaken && s.most <= 2 && retries,
	      "%u transactions on one bit: %u refused, %u overtaken, %u trips lost by one at most",
	      s.replies, s.conflicts, s.overtaken, s.most);
	ok_if(control_port(LOOPBACK, "drop") == drop, "the loopback port drops nothing");
}

/* All flows wait at once for a bit that nobody gives back: as many packets as the ring must take. */
static void test_full_ring(void)
{
	unsigned int flows = model.flows, answered = 0, refused = 0;
	uint64_t drop = control_port(LOOPBACK, "drop");
	struct frame got;

	flows = flows < 256 ? flows : 256;	/* what a host's socket takes */
	give_flows(1, 0, flows);
	set_lock(0, 1u << 3);
	for (unsigned int flow = 0; flow < flows; flow++)
		send_two_passes(flow, 1, 50);
	for (int h = 0; h < 2; h++)
		while (answered < (h ? flows : (flows + 1) / 2) &&
		       host_recv(host[h], &got, sizeof(got), PATIENCE_MS) == sizeof(got)) {
			answered++;
			refused += got.txn.status == P4W_TXN_CONFLICT &&
				   got.txn.retries == P4W_RETRIES_MAX;
		}
	ok_if(refused == flows && answered == flows && control_port(LOOPBACK, "drop") == drop,
	      "%u flows wait in vain: %u are told CONFLICT after %d trips", flows, refused,
	      P4W_RETRIES_MAX);
	set_lock(0, 0);
}

/* Tenant 2 has the next block, and takes there what tenant 1 holds here: the same slot and bit. */
static void test_tenants(void)
{
	unsigned int ok = 0, waited = 0;
	struct frame got;
	uint64_t words[2];

	set_owner(1, 2, 5);
	give_flows(2, 8, 8);
	set_lock(0, 1u << 3);		/* somebody of tenant 1 is between its passes */
	for (unsigned int flow = 8; flow < FLOWS; flow++)
		send_two_passes(flow, 2, P4W_BLOCK_SLOTS + 50);
	for (unsigned int flow = 8; flow < FLOWS; flow++) {
		if (host_recv(host[flow & 1], &got, sizeof(got), PATIENCE_MS) != sizeof(got))
			break;
		ok += got.txn.status == P4W_TXN_OK;
		waited += got.txn.retries > 2;	/* for each other they may */
	}
	control_read("lock", 0, 2, words);
	ok_if(ok == FLOWS - 8 && !waited && words[0] == 1u << 3 && !words[1],
	      "bits held by another tenant are in nobody's way");
	set_lock(0, 0);
	set_owner(1, 0, 0);
}

/* The model did not follow: who was first is not known here. */
static void forget(void)
{
	unsigned int flows = model.flows < 256 ? model.flows : 256;

	give_flows(1, 0, flows);
	for (unsigned int flow = 0; flow < flows; flow++) {
		control_read("flow_serial", flow, 1, &model.flow[flow].serial);
		for (int k = 0; k < P4W_INSTRS; k++) {
			char name[16];
			uint64_t value;

			snprintf(name, sizeof(name), "flow_result%d", k);
			control_read(name, flow, 1, &value);
			model.flow[flow].result[k] = value;
		}
	}
	for (int block = 0; block < 2; block++) {
		unsigned int cell = block * P4W_BLOCK_SLOTS + 50;

		control_read("serial", block, 1, &model.serial[block]);
		control_read("access", block, 1, &model.access[block]);
		for (int reg = 0; reg < 2; reg++) {
			control_write(reg ? "r1" : "r0", cell, 0);
			model.cell[reg][cell] = 0;
		}
	}
}

void test_order(void)
{
	give_flows(1, 0, FLOWS);
	test_losers();
	test_full_ring();
	test_tenants();
	forget();
	ok_if(state_agrees(), "order: all other cells");
}
