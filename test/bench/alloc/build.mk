# SPDX-License-Identifier: GPL-2.0-or-later
# `make bench-alloc` runs these, in this order; see test/bench/alloc/run.
BENCH_ALLOC :=

# $(call bench_alloc,NAME,FURTHER SOURCES,PKG-CONFIG NAMES,OBJECTS OR LIBRARIES,FLAGS)
define bench_alloc
BENCH_ALLOC += $(1)
$$(eval $$(call program,test/bench-alloc/$(1),test/bench/alloc/$(1).c test/bench/alloc/bench.c $(2),$(3),$(4),$(5)))
endef

$(eval $(call bench_alloc,layout,util/zipf.c,,$(LIBP4ALLOC),-lm))
$(eval $(call bench_alloc,keys,util/zipf.c tools/p4allocd/keys.c tools/p4allocd/out.c tools/p4allocd/proto.c,,$(LIBP4ALLOC),-lm))
$(eval $(call bench_alloc,divide,test/unit/allocd_exact.c tools/p4allocd/curve.c tools/p4allocd/divide.c,,,-lm))
$(eval $(call bench_alloc,turns,test/unit/allocd_exact.c $(P4ALLOCD_PURE:%=tools/p4allocd/%.c),,,-lm))
$(eval $(call bench_alloc,log,,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib))
$(eval $(call bench_alloc,control,test/unit/allocd_exact.c $(P4ALLOCD_PURE:%=tools/p4allocd/%.c),,,-lm))
$(eval $(call bench_alloc,commit,$(P4ALLOCD_PURE:%=tools/p4allocd/%.c) $(P4ALLOCD_FILE),sqlite3))
$(eval $(call bench_alloc,named,util/zipf.c tools/p4allocd/named.c tools/p4allocd/crowd.c tools/p4allocd/out.c tools/p4allocd/proto.c,,,-lm))
$(eval $(call bench_alloc,fair,test/unit/allocd_exact.c $(P4ALLOCD_PURE:%=tools/p4allocd/%.c),,,-lm))

# Rows over the transport: what test/bench/alloc/net.sh runs, and with what.
BENCH_NET := $(addprefix $(B)/,bin/p4allocd bin/p4ctl bin/p4switch bin/p4bench test/guest/txn-rtt p4db-20-4-256.spec)
$(eval $(call bench_alloc,net-locks,tools/base64.c,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))
BENCH_ALLOC += net-cells
$(eval $(call program,test/bench-alloc/net-cells,test/guest/lock-loop.c,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))
$(eval $(call bench_alloc,net-requests,test/guest/t_homa.c))
$(eval $(call bench_alloc,net-dead,,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))
$(eval $(call bench_alloc,net-resize,,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))
