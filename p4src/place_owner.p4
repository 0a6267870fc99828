/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the block that place K names, in whichever pass, the sender's? */
		if (INSTR.op != OP_NONE) {
			m.block = (bit<32>)INSTR.cell >> BLOCK_SHIFT;
			if (m.block >= BLOCKS) {
				m.outcome = TXN_STALE;
			}
			m.owner = owner.read(m.block);
			if (m.owner != h.txn.owner) {
				m.outcome = TXN_STALE;
			}
		}
