# SPDX-License-Identifier: GPL-2.0-or-later
# Traces, the demo's tenant node, the oracle.

PROGRAMS += bin/p4trace bin/p4oracle

$(eval $(call program,bin/p4trace,util/p4trace.c util/trace.c util/zipf.c util/args.c,,,-lm))
$(eval $(call program,bin/p4oracle,util/p4oracle.c util/oracle.c util/history_read.c util/trace.c util/args.c))

UNIT += test/util_trace test/util_store test/util_oracle

$(eval $(call program,test/util_trace,test/unit/util_trace.c util/trace.c util/zipf.c,cmocka,,-lm))
$(eval $(call program,test/util_store,test/unit/util_store.c util/store.c util/trace.c,cmocka))
$(eval $(call program,test/util_oracle,test/unit/util_oracle.c util/oracle.c util/history_read.c util/history_write.c util/trace.c,cmocka))
NODE_SRCS := util/node.c util/work.c util/cold.c util/hot.c util/report.c util/peer_ask.c util/peer_serve.c util/store.c util/history_write.c util/trace.c
$(eval $(call program,test/util_node,test/unit/util_node.c test/unit/util_fake_link.c test/unit/util_fake_switch.c $(NODE_SRCS) util/history_read.c util/oracle.c util/zipf.c lib/layout.c lib/plan.c lib/error.c,cmocka,,-lm -lpthread))
