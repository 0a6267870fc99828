/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Place K in the second pass, before which nobody looks at owners: see place_owner.p4. */
		CAT(m.op, K) = INSTR.op ^ OP_SECOND_PASS;
		CAT(m.block, K) = (bit<32>)INSTR.cell >> BLOCK_SHIFT;
