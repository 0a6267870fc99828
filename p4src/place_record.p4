/* SPDX-License-Identifier: GPL-2.0-or-later */
				CAT(flow_result, K).write(h.txn.flow, INSTR.result);
