/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does the switch know what place K asks for? CADD decides in the first pass or not at all. */
		if (INSTR.op != OP_NONE) {
			if (INSTR.reg >= REGISTERS) {
				m.outcome = TXN_MALFORMED;
			}
			if (INSTR.op >= OP_CADD + 1 && INSTR.op <= OP_SECOND_PASS) {
				m.outcome = TXN_MALFORMED;
			}
			if (INSTR.op >= OP_SECOND_PASS + OP_CADD) {
				m.outcome = TXN_MALFORMED;
			}
		}
