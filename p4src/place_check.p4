/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the switch know what place K asks for? CADD decides in the first pass or not at all, sources are
 * of the first pass, and what depends on them is in the dependent stage if it is of the first pass too.
 */
		if (INSTR.op != OP_NONE) {
			if (INSTR.reg >= REGISTERS) {
				m.outcome = TXN_MALFORMED;
			}
			if (INSTR.op >= OPS_END) {
				m.part = INSTR.op & OP_CODE;
				if (m.part == OP_NONE) {
					m.outcome = TXN_MALFORMED;
				}
				if (m.part >= OPS_END) {
					m.outcome = TXN_MALFORMED;
				}
				m.part = INSTR.op & (OP_SECOND_PASS + OP_CODE);
				if (m.part == OP_SECOND_PASS + OP_CADD) {
					m.outcome = TXN_MALFORMED;
				}
				m.part = INSTR.op & (OP_SECOND_PASS + OP_SOURCE);
				if (m.part == OP_SECOND_PASS + OP_SOURCE) {
					m.outcome = TXN_MALFORMED;
				}
				if (m.part == OP_SOURCE && INSTR.reg >= ORDINARY) {
					m.late_source = 1;
				}
				m.part = INSTR.op & (OP_SECOND_PASS + OP_DEPENDENT);
				if (m.part == OP_DEPENDENT) {
					m.early = 1;
					if (INSTR.reg <= ORDINARY - 1) {
						m.outcome = TXN_MALFORMED;
					}
				}
			}
		}
