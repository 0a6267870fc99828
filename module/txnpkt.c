// SPDX-License-Identifier: GPL-2.0
/*
 * txnpkt.c - what a program's transaction must be, the packet that it becomes, and which packet is
 * its answer. Pure functions: no lock, no state, any context.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include "txnpkt.h"

u64 homa_owner_word(u32 tenant, u64 epoch)
{
	return (u64)tenant << P4W_EPOCH_BITS | epoch;
}

/* What the switch would take in some stage; which arrays are in which stage, it alone knows. */
static bool op_is_valid(u8 op)
{
	u8 code = op & P4W_OP_CODE;

	if (code == P4W_OP_NONE || code >= P4W_OPS_END)
		return false;
	return !(op & P4W_OP_SECOND_PASS) || (code != P4W_OP_CADD && !(op & P4W_OP_SOURCE));
}

/*
 * The instructions that will be sent: valid, and no pass uses a register twice, because a register
 * array can be accessed once while a packet passes. Says in *two_passes if one is for the second.
 */
static bool instrs_are_valid(const struct homa_txn *txn, u32 registers, bool *two_passes)
{
	u32 used[2] = { 0, 0 };
	int i;

	for (i = 0; i < txn->count; i++) {
		const struct homa_txn_instr *in = &txn->instr[i];
		bool second = in->op & P4W_OP_SECOND_PASS;

		if (!op_is_valid(in->op) || in->reg >= registers)
			return false;
		if (used[second] & BIT(in->reg))
			return false;
		used[second] |= BIT(in->reg);
	}
	*two_passes = used[1];
	return true;
}

/* A program's transaction, against everything but its tenant's allocation: 0 or -EINVAL. */
int homa_txn_check(const struct homa_txn *txn, u32 registers)
{
	bool two_passes;

	if (txn->count < 1 || txn->count > HOMA_TXN_MAX_INSTRS)
		return -EINVAL;
	if (txn->space >= HOMA_TXN_SPACES || memchr_inv(txn->reserved, 0, sizeof(txn->reserved)) ||
	    memchr_inv(&txn->instr[txn->count], 0,
		       (HOMA_TXN_MAX_INSTRS - txn->count) * sizeof(txn->instr[0])))
		return -EINVAL;
	if (!instrs_are_valid(txn, registers, &two_passes))
		return -EINVAL;
	if (txn->lock_acquire & ~txn->lock_check || two_passes != !!txn->lock_acquire)
		return -EINVAL;
	return 0;
}

/* Virtual slots become physical cells: 0 or -ERANGE. */
int homa_txn_fill_instrs(struct p4w_txn *p, const struct homa_txn *txn,
			 const struct homa_blocks *blocks)
{
	int i, cell;

	for (i = 0; i < txn->count; i++) {
		cell = homa_blocks_cell(blocks, txn->instr[i].slot);
		if (cell < 0)
			return cell;
		p->instr[i].reg = txn->instr[i].reg;
		p->instr[i].op = txn->instr[i].op;
		p->instr[i].cell = cpu_to_be16(cell);
		p->instr[i].operand = cpu_to_be32(txn->instr[i].operand);
	}
	return 0;
}

/* All but what depends on the allocation and the flow. */
void homa_txn_fill_head(struct p4w_txn *p, const struct homa_txn *txn, u64 id, u16 sport, u16 dport)
{
	p->common.sport = cpu_to_be16(sport);
	p->common.dport = cpu_to_be16(dport);
	p->common.type = P4W_TXN;
	p->common.doff = (P4W_COMMON_LEN / 4) << 4;
	p->common.flags = P4W_HOMA_FLAGS;
	p->common.urgent = cpu_to_be16(P4W_HOMA_URGENT);
	p->common.sender_id = cpu_to_be64(id);
	p->version = P4W_VERSION;
	p->lock_check = cpu_to_be32(txn->lock_check);
	p->lock_acquire = cpu_to_be32(txn->lock_acquire);
}

/* Whether `got` is what the switch makes of `sent`: everything that it leaves alone is the same,
 * and what it fills in is possible.
 */
bool homa_txn_is_answer(const struct p4w_txn *sent, const struct p4w_txn *got)
{
	return got->common.sender_id == (sent->common.sender_id ^ cpu_to_be64(1)) &&
	       got->common.sport == sent->common.dport &&
	       got->common.dport == sent->common.sport &&
	       got->owner == sent->owner && got->flow == sent->flow && got->seq == sent->seq &&
	       got->home == sent->home && got->retries <= P4W_RETRIES_MAX &&
	       got->status <= P4W_TXN_MALFORMED &&
	       (got->version == P4W_VERSION) == (got->status != P4W_TXN_VERSION);
}

/*
 * Whether the status tells what became of the transaction: it is about the packet in hand, and an earlier copy
 * may have been done by a switch that has forgotten it, because it has restarted or because the flow
 * was given anew. STALE says since which serial the flow's entry knows all; CONFLICT and ABORT come from a
 * switch that has known the flow for as long as the grant.
 */
bool homa_txn_is_proof(const struct p4w_txn *got, bool repeated)
{
	u64 epoch = be64_to_cpu(got->owner) & P4W_EPOCH_MAX;

	if (!repeated)
		return true;
	switch (got->status) {
	case P4W_TXN_VERSION:
	case P4W_TXN_MALFORMED:
		return false;
	case P4W_TXN_STALE:
		return be64_to_cpu(got->serial) >> P4W_SERIAL_SHIFT == epoch;
	default:
		return true;
	}
}

void homa_txn_fill_result(struct homa_txn_result *result, const struct p4w_txn *got, int count)
{
	int i;

	result->epoch = be64_to_cpu(got->owner) & P4W_EPOCH_MAX;
	result->status = got->status;
	result->retries = got->retries;
	result->count = count;
	if (got->status != P4W_TXN_OK)
		return;
	result->serial = be64_to_cpu(got->serial);
	for (i = 0; i < count; i++)
		result->result[i] = be32_to_cpu(got->instr[i].result);
}
