/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads place K's result and computes the value that its cell will get. The result is read straight
 * into the header: the compiler repeats a read into metadata wherever the value is used again,
 * which would be after the write.
 */
#define OP CAT(m.op, K)
#define NEW CAT(m.new, K)
#define READ(i, n) if (i.reg == n) { i.result = CAT(r, n).read((bit<32>)i.cell); }
		OP = INSTR.op ^ m.pass;	/* not of this pass: 0 or above OP_CADD */
		if (OP >= OP_READ && OP <= OP_CADD) {
			m.block = (bit<32>)INSTR.cell >> BLOCK_SHIFT;
			access.count(m.block);
			EACH_REGISTER(READ, INSTR, else)
			NEW = INSTR.operand;
			if (OP >= OP_ADD) {
				NEW = NEW + INSTR.result;
			}
			if (OP == OP_CADD && NEW >= 0x80000000) {
				m.outcome = TXN_ABORT;
			}
		}
#undef OP
#undef NEW
#undef READ
