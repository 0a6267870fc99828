// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <endian.h>
#include <stdbool.h>

#include "model.h"

static bool is_known(const struct model *m, const struct p4w_instr *i)
{
	bool second = i->op & P4W_OP_SECOND_PASS;
	unsigned int op = i->op & P4W_OP_CODE;

	if (i->op == P4W_OP_NONE)
		return true;
	if (op < P4W_OP_READ || op >= P4W_OPS_END || i->reg >= m->registers)
		return false;
	return !second || (op != P4W_OP_CADD && !(i->op & P4W_OP_SOURCE));
}

static bool is_late(const struct model *m, const struct p4w_instr *i, unsigned int flag)
{
	return (i->op & (flag | P4W_OP_SECOND_PASS)) == flag &&
	       i->reg >= m->registers - m->dependent;
}

/* What depends on a source of its own pass comes in a later stage than all of them. */
static bool stages_fit(const struct model *m, const struct p4w_txn *t)
{
	bool early = false, late_source = false;

	for (int k = 0; k < P4W_INSTRS; k++) {
		const struct p4w_instr *i = &t->instr[k];

		if ((i->op & (P4W_OP_DEPENDENT | P4W_OP_SECOND_PASS)) == P4W_OP_DEPENDENT) {
			if (!is_late(m, i, P4W_OP_DEPENDENT))
				return false;
			early = true;
		}
		late_source |= is_late(m, i, P4W_OP_SOURCE);
	}
	return !early || !late_source;
}

static bool is_ours(const struct model *m, unsigned int block, uint64_t owner)
{
	return block < m->blocks && m->owner[block] == owner;
}

/* Reads all results of one pass, then writes, unless a CADD forbids it. */
static bool execute(struct model *m, struct p4w_txn *t, int pass)
{
	uint32_t new[P4W_INSTRS], sum = 0;
	bool ok = true;
	int k;

	for (k = 0; k < P4W_INSTRS && pass; k++)
		if (t->instr[k].op & P4W_OP_SOURCE)
			sum += ntohl(t->instr[k].result);
	for (k = 0; k < P4W_INSTRS; k++) {
		struct p4w_instr *i = &t->instr[k];
		int op = i->op & P4W_OP_CODE;

		if (i->op && (i->op & P4W_OP_SECOND_PASS) == pass) {
			m->access[ntohs(i->cell) / P4W_BLOCK_SLOTS]++;
			i->result = htonl(m->cell[i->reg][ntohs(i->cell)]);
		}
		new[k] = ntohl(i->operand) + (op >= P4W_OP_ADD ? ntohl(i->result) : 0);
		if (op == P4W_OP_CHARGE)
			new[k] -= (int32_t)(new[k] + (i->op & P4W_OP_DEPENDENT ? sum : 0)) < 0;
		else if (i->op & P4W_OP_DEPENDENT)
			new[k] += sum;
		if (op == P4W_OP_REFILL && (int32_t)(new[k] - P4W_REFILL_BELOW) < 0)
			new[k] += P4W_REFILL_BY;
		if (op == P4W_OP_CADD && (int32_t)new[k] < 0)
			ok = false;
		if (i->op & P4W_OP_SOURCE && !pass)
			sum += ntohl(i->result);
	}
	for (k = 0; k < P4W_INSTRS && ok; k++) {
		struct p4w_instr *i = &t->instr[k];
		int op = i->op & P4W_OP_CODE;

		if (op >= P4W_OP_WRITE && (i->op & P4W_OP_SECOND_PASS) == pass)
			m->cell[i->reg][ntohs(i->cell)] = new[k];
	}
	return ok;
}

static int commit(struct model *m, struct p4w_txn *t)
{
	unsigned int home = ntohs(t->home);

	for (int k = 0; k < P4W_INSTRS; k++)
		if (t->instr[k].op && !is_ours(m, ntohs(t->instr[k].cell) / P4W_BLOCK_SLOTS,
					       be64toh(t->owner)))
			return P4W_TXN_STALE;
	if (!is_ours(m, home, be64toh(t->owner)))
		return P4W_TXN_STALE;
	if (m->lock[home] & ntohl(t->lock_check)) {
		t->retries = P4W_RETRIES_MAX;
		return P4W_TXN_CONFLICT;
	}
	if (!execute(m, t, 0))
		return P4W_TXN_ABORT;
	t->serial = htobe64(m->serial[home]++);
	if (t->lock_acquire)
		execute(m, t, P4W_OP_SECOND_PASS);
	return P4W_TXN_OK;
}

static int replay(const struct model_flow *f, struct p4w_txn *t)
{
	t->status = f->state >> P4W_FLOW_STATE_SHIFT & 0x7f;
	t->serial = htobe64(f->serial);
	for (int k = 0; k < P4W_INSTRS; k++)
		t->instr[k].result = htonl(f->result[k]);
	return MODEL_REPLAY;
}

static void record(struct model_flow *f, const struct p4w_txn *t)
{
	f->state = be64toh(t->owner) >> P4W_EPOCH_BITS << P4W_FLOW_TENANT_SHIFT |
		   (uint64_t)(P4W_FLOW_DONE | t->status) << P4W_FLOW_STATE_SHIFT | ntohl(t->seq);
	f->serial = be64toh(t->serial);
	for (int k = 0; k < P4W_INSTRS; k++)
		f->result[k] = ntohl(t->instr[k].result);
}

/* What becomes of a well-formed request. */
static int decide(struct model *m, struct p4w_txn *t)
{
	uint64_t tenant = be64toh(t->owner) >> P4W_EPOCH_BITS;
	struct model_flow *f = &m->flow[ntohl(t->flow) % m->flows];
	uint32_t seq = f->state;

	if (ntohl(t->flow) >= m->flows || !tenant || f->state >> P4W_FLOW_TENANT_SHIFT != tenant)
		return t->status = P4W_TXN_STALE;
	if (ntohl(t->seq) == seq && (f->state >> P4W_FLOW_STATE_SHIFT & P4W_FLOW_DONE))
		return replay(f, t);
	if (ntohl(t->seq) <= seq || (f->state >> P4W_FLOW_STATE_SHIFT & 0xff) == P4W_FLOW_BUSY)
		return MODEL_DROPPED;
	t->status = commit(m, t);
	if (t->status != P4W_TXN_STALE)
		record(f, t);
	else
		t->serial = htobe64(f->serial);
	return t->status;
}

int model_run(struct model *m, struct p4w_txn *t)
{
	__be16 port = t->common.sport;

	t->common.sport = t->common.dport;
	t->common.dport = port;
	t->common.type = P4W_TXN_REPLY;
	t->common.sender_id ^= htobe64(1);
	t->pass = t->retries = 0;
	t->port = 0;
	t->sum = 0;
	t->serial = 0;
	if (t->version != P4W_VERSION) {
		t->version = P4W_VERSION;
		return t->status = P4W_TXN_VERSION;
	}
	for (int k = 0; k < P4W_INSTRS; k++)
		if (!is_known(m, &t->instr[k]))
			return t->status = P4W_TXN_MALFORMED;
	if (!stages_fit(m, t))
		return t->status = P4W_TXN_MALFORMED;
	return decide(m, t);
}
