/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes place K's cell. */
#define OP CAT(m.op, K)
#define WRITE(i, n) if (i.reg == n) { CAT(r, n).write((bit<32>)i.cell, CAT(m.new, K)); }
		if (OP >= OP_WRITE) {
			EACH_REGISTER(WRITE, INSTR, else)
		}
#undef OP
#undef WRITE
