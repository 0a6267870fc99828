/* SPDX-License-Identifier: GPL-2.0-or-later */
				INSTR.result = CAT(flow_result, K).read(h.txn.flow);
