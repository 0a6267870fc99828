// SPDX-License-Identifier: GPL-2.0-or-later
/* drive SOCKET INTERFACE0 INTERFACE1: see drive.h. Run by test/switch/run. */
#include <arpa/inet.h>
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "drive.h"

struct model model;
int host[2];
static uint32_t next_seq[65536];
static unsigned int passed, failed;

void ok_if(bool good, const char *fmt, ...)
{
	va_list ap;

	printf(good ? "ok " : "not ok ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	*(good ? &passed : &failed) += 1;
}

uint64_t owner_word(unsigned int tenant, uint64_t epoch)
{
	return (uint64_t)tenant << P4W_EPOCH_BITS | epoch;
}

void set_owner(unsigned int block, unsigned int tenant, uint64_t epoch)
{
	model.owner[block] = owner_word(tenant, epoch);
	control_write("owner", block, model.owner[block]);
}

void set_lock(unsigned int block, uint64_t word)
{
	model.lock[block] = word;
	control_write("lock", block, word);
}

void set_flow(unsigned int flow, uint64_t state)
{
	model.flow[flow].state = state;
	control_write("flow_state", flow, state);
	next_seq[flow] = state + 1;
}

void give_flows(unsigned int tenant, unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++)
		set_flow(i, (uint64_t)tenant << P4W_FLOW_TENANT_SHIFT);
}

void request(struct frame *f, unsigned int flow)
{
	static uint64_t id = 2;

	frame_init(f, 1);
	f->txn.owner = htobe64(owner_word(1, 5));
	f->txn.flow = htonl(flow);
	f->txn.seq = htonl(next_seq[flow % 65536]++);
	f->txn.common.sender_id = htobe64(id += 2);
}

void instr(struct frame *f, int place, unsigned int reg, unsigned int op, unsigned int cell,
	   uint32_t operand)
{
	f->txn.instr[place] = (struct p4w_instr){ .reg = reg, .op = op, .cell = htons(cell),
						  .operand = htonl(operand) };
}

/* A packet whose version is not the switch's gets its reply whatever else is in it. */
static __be64 send_mark(int h)
{
	static uint64_t id = 0xabcdef00;
	struct frame mark;

	frame_init(&mark, 1);
	mark.src[5] += 4 * h;		/* addresses stay where they are */
	mark.txn.version = 99;
	mark.txn.common.sender_id = htobe64(id += 2);
	host_send(host[h], &mark, sizeof(mark));
	return htobe64(id + 1);
}

static bool is_mark(const struct frame *f, __be64 id)
{
	return f->txn.common.sender_id == id && f->txn.status == P4W_TXN_VERSION &&
	       f->txn.version == P4W_VERSION;
}

bool nothing_arrives(void)
{
	struct frame got;
	__be64 id = send_mark(0);

	return host_recv(host[0], &got, sizeof(got), PATIENCE_MS) == sizeof(got) &&
	       is_mark(&got, id);
}

bool quiet(int h)
{
	__be64 id = send_mark(h);
	struct frame got;
	int n;

	do
		n = host_recv(host[h], &got, sizeof(got), PATIENCE_MS);
	while (n && (n != sizeof(got) || !is_mark(&got, id)));
	return n;
}

static void turn_round(struct frame *f)
{
	uint8_t mac[6];
	__be32 addr = f->saddr;

	memcpy(mac, f->src, 6);
	memcpy(f->src, f->dst, 6);
	memcpy(f->dst, mac, 6);
	f->saddr = f->daddr;
	f->daddr = addr;
}

static void show(const char *what, const struct frame *f)
{
	printf("# %s: status %u retries %u serial %llu flow %u seq %u results", what, f->txn.status,
	       f->txn.retries, (unsigned long long)be64toh(f->txn.serial), ntohl(f->txn.flow),
	       ntohl(f->txn.seq));
	for (int k = 0; k < P4W_INSTRS; k++)
		printf(" %u", ntohl(f->txn.instr[k].result));
	printf("\n");
}

bool exchange(struct frame *f, int *outcome)
{
	struct frame want = *f, got;
	int what = model_run(&model, &want.txn);

	if (outcome)
		*outcome = what;
	turn_round(&want);
	host_send(host[0], f, sizeof(*f));
	if (what == MODEL_DROPPED)
		return nothing_arrives();
	if (host_recv(host[0], &got, sizeof(got), PATIENCE_MS) != sizeof(got)) {
		printf("# no reply\n");
		return false;
	}
	if (!memcmp(&got, &want, sizeof(got)))
		return true;
	show("want", &want);
	show("got ", &got);
	return false;
}

static bool cells_agree(const char *array, const uint64_t *want, unsigned int nr)
{
	uint64_t got[4096];

	for (unsigned int at = 0; at < nr; at += 4096) {
		unsigned int n = nr - at < 4096 ? nr - at : 4096;

		for (unsigned int i = 0; i < n; i += 2048)
			control_read(array, at + i, n - i < 2048 ? n - i : 2048, got + i);
		for (unsigned int i = 0; i < n; i++)
			if (got[i] != want[at + i]) {
				printf("# %s[%u] is %llu, should be %llu\n", array, at + i,
				       (unsigned long long)got[i],
				       (unsigned long long)want[at + i]);
				return false;
			}
	}
	return true;
}

static bool flows_agree(void)
{
	static uint64_t want[P4W_INSTRS + 2][65536];
	char name[32];
	bool good;

	for (unsigned int f = 0; f < model.flows; f++) {
		want[8][f] = model.flow[f].state;
		want[9][f] = model.flow[f].serial;
		for (int k = 0; k < P4W_INSTRS; k++)
			want[k][f] = model.flow[f].result[k];
	}
	good = cells_agree("flow_state", want[8], model.flows) &&
	       cells_agree("flow_serial", want[9], model.flows);
	for (int k = 0; k < P4W_INSTRS && good; k++) {
		snprintf(name, sizeof(name), "flow_result%d", k);
		good = cells_agree(name, want[k], model.flows);
	}
	return good;
}

bool state_agrees(void)
{
	static uint64_t want[P4W_MAX_BLOCKS * P4W_BLOCK_SLOTS];
	unsigned int cells = model.blocks * P4W_BLOCK_SLOTS;
	char name[16];
	bool good = cells_agree("owner", model.owner, model.blocks) &&
		    cells_agree("lock", model.lock, model.blocks) &&
		    cells_agree("serial", model.serial, model.blocks) &&
		    cells_agree("access", model.access, model.blocks) && flows_agree();

	for (unsigned int r = 0; r < model.registers && good; r++) {
		for (unsigned int c = 0; c < cells; c++)
			want[c] = model.cell[r][c];
		snprintf(name, sizeof(name), "r%u", r);
		good = cells_agree(name, want, cells);
	}
	return good;
}

static unsigned int info(const char *name)
{
	struct json_object *o = control_ask("{\"cmd\":\"info\"}");
	unsigned int n = json_object_get_int(json_object_object_get(o, name));

	json_object_put(o);
	return n;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: drive SOCKET INTERFACE0 INTERFACE1\n");
		return 2;
	}
	control_connect(argv[1]);
	host[0] = host_open(argv[2]);
	host[1] = host_open(argv[3]);
	model.registers = info("registers");
	model.dependent = info("dependent");
	model.blocks = info("blocks");
	model.flows = info("flows");
	printf("# %u registers (%u dependent), %u blocks, %u flows\n", model.registers,
	       model.dependent, model.blocks, model.flows);
	ok_if(state_agrees(), "a switch that has just started keeps nothing");
	test_transactions();
	test_contention();
	test_handover();
	test_order();
	test_frames();
	test_control(argv[1]);
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
