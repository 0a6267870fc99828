/* SPDX-License-Identifier: GPL-2.0 */
#ifndef P4HOMA_TXNPKT_H
#define P4HOMA_TXNPKT_H

#include <linux/types.h>
#include <uapi/linux/homa.h>
#include "bitmap.h"
#include "p4wire.h"

u64 homa_owner_word(u32 tenant, u64 epoch);
int homa_txn_check(const struct homa_txn *txn, u32 registers);
int homa_txn_fill_instrs(struct p4w_txn *p, const struct homa_txn *txn,
			 const struct homa_blocks *blocks);
void homa_txn_fill_head(struct p4w_txn *p, const struct homa_txn *txn, u64 id, u16 sport,
			u16 dport);
bool homa_txn_is_answer(const struct p4w_txn *sent, const struct p4w_txn *got);
bool homa_txn_is_proof(const struct p4w_txn *got, bool repeated);
void homa_txn_fill_result(struct homa_txn_result *result, const struct p4w_txn *got, int count);

#endif
