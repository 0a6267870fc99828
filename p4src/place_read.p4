/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads place K's result and computes the value that its cell will get. The result is read straight
 * into the header: the compiler repeats a read into metadata wherever the value is used again,
 * which would be after the write.
 */
#define OP CAT(m.op, K)
#define NEW CAT(m.new, K)
#define READ(i, n) if (i.reg == n) { i.result = CAT(r, n).read((bit<32>)i.cell); }
		if (OP >= OP_READ) {
			if (OP <= OP_SECOND_PASS - 1) {
				access.count(CAT(m.block, K));
				NEW = INSTR.operand;
				EACH_REGISTER(READ, INSTR, else)
				if (OP >= OP_ADD) {
					if (OP == OP_ADD) {
						NEW = NEW + INSTR.result;
					} else {
						m.addend = 0;
						if (OP >= OP_DEPENDENT) {
							m.part = OP & OP_DEPENDENT;
							if (m.part != 0) {
								m.addend = h.txn.sum;
							}
							if (OP >= OP_SOURCE) {
								h.txn.sum = h.txn.sum + INSTR.result;
							}
							OP = OP & OP_CODE;
						}
						if (OP >= OP_ADD) {
							NEW = NEW + INSTR.result;
						}
						if (OP >= OP_CADD) {
							if (OP == OP_CHARGE) {
								m.addend = m.addend + NEW;
								if (m.addend >= 0x80000000) {
									NEW = NEW - 1;
								}
								m.addend = 0;
							}
							m.below = NEW + m.addend;
							if (OP == OP_CADD && m.below >= 0x80000000) {
								m.outcome = TXN_ABORT;
							}
							m.below = m.below - REFILL_BELOW;
							if (OP == OP_REFILL && m.below >= 0x80000000) {
								NEW = NEW + REFILL_BY;
							}
						}
						NEW = NEW + m.addend;
					}
				}
			} else {
				OP = OP_NONE;
			}
		}
#undef OP
#undef NEW
#undef READ
