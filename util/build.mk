# SPDX-License-Identifier: GPL-2.0-or-later
# Traces, the demo's tenant node, the oracle.

FILES += $(addprefix $(B)/bin/,p4trace p4ycsb p4oracle p4report p4corrupt)	# for the demo, not installed
UNIT += $(addprefix test/util_,trace store oracle peer node report)

# A node without its main program and sockets, as the unit test takes it.
util_node_srcs := $(addprefix util/,node.c work.c cold.c hot.c report.c peer_ask.c peer_serve.c store.c \
	history_write.c trace.c start.c)
util_program_srcs := $(addprefix util/,program.c link.c args.c zipf.c) $(util_node_srcs)

$(eval $(call program,bin/p4trace,$(addprefix util/,p4trace.c trace.c zipf.c args.c),,,-lm))
$(eval $(call program,bin/p4oracle,$(addprefix util/,p4oracle.c oracle.c history_read.c trace.c start.c args.c)))
define util_node_program
$(eval $(call program,bin/$(1),util/$(1).c $(2) $(util_program_srcs),$\
	$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-lpthread -lm))
endef
$(call util_node_program,p4ycsb)
PROGRAMS += bin/p4smallbank bin/p4tpcc
$(call util_node_program,p4smallbank,util/bank.c)
$(call util_node_program,p4tpcc,util/orders.c)

PROGRAMS += bin/p4lock
$(eval $(call program,bin/p4lock,util/p4lock.c util/args.c,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))

PROGRAMS += bin/p4bench
$(eval $(call program,bin/p4bench,$(addprefix util/bench/,p4bench.c homa.c tcp.c udp.c) util/args.c,,,-lpthread))

$(eval $(call program,bin/p4report,$(addprefix util/,p4report.c jsonline.c args.c),json-c))
$(eval $(call program,bin/p4corrupt,$(addprefix util/,p4corrupt.c jsonline.c args.c),json-c))

$(eval $(call program,test/util_trace,test/unit/util_trace.c util/trace.c util/zipf.c,cmocka,,-lm))
$(eval $(call program,test/util_store,test/unit/util_store.c util/store.c util/trace.c util/start.c,cmocka))
$(eval $(call program,test/util_oracle,test/unit/util_oracle.c $\
	$(addprefix util/,oracle.c history_read.c history_write.c trace.c start.c),cmocka))
$(eval $(call program,test/util_peer,test/unit/util_peer.c test/unit/util_fake_link.c $\
	$(addprefix util/,peer_ask.c store.c trace.c start.c),cmocka,,-lpthread))
$(eval $(call program,test/util_report,test/unit/util_report.c util/jsonline.c util/args.c,cmocka json-c))
$(eval $(call program,test/util_node,test/unit/util_node.c test/unit/util_fake_link.c $\
	test/unit/util_fake_switch.c $(util_node_srcs) $\
	$(addprefix util/,history_read.c oracle.c zipf.c bank.c orders.c) $\
	$(addprefix lib/,layout.c counts.c plan.c error.c replay.c replay_read.c replay_batch.c $\
	replay_doubt.c replay_abort.c settle.c log_record.c log_file.c log.c),$\
	cmocka,,-Ilib -lm -lpthread))
UNIT += test/util_settle
$(eval $(call program,test/util_settle,test/unit/util_settle.c test/unit/lib_books.c util/link.c $\
	$(filter-out util/hot.c,$(util_node_srcs)),cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib -lm -lpthread))
