/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the block that place K names, in whichever pass, the sender's? Leaves its number, and the op,
 * which is of this pass if it is 1 .. OP_SECOND_PASS - 1.
 */
#define BLOCK CAT(m.block, K)
		CAT(m.op, K) = INSTR.op;
		if (CAT(m.op, K) != OP_NONE) {
			BLOCK = (bit<32>)INSTR.cell >> BLOCK_SHIFT;
			if (BLOCK >= BLOCKS) {
				m.outcome = TXN_STALE;
			}
			m.owner = owner.read(BLOCK);
			if (m.owner != h.txn.owner) {
				m.outcome = TXN_STALE;
			}
		}
#undef BLOCK
