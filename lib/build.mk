# SPDX-License-Identifier: GPL-2.0-or-later
# libp4alloc: $(LIBP4ALLOC) is what programs of this tree link, with packages $(LIBP4ALLOC_PKGS).
# To install: LIB_STATIC, LIB_SHARED (soname link LIB_LINK beside it), LIB_HEADERS, LIB_PC.

LIBP4ALLOC	:= $(B)/lib/libp4alloc.a
LIBP4ALLOC_PKGS	:= liburing libnl-3.0 libnl-genl-3.0

LIB_STATIC	:= $(LIBP4ALLOC)
LIB_SHARED	:= $(B)/lib/libp4alloc.so.1
LIB_LINK	:= $(B)/lib/libp4alloc.so
LIB_HEADERS	:= include/p4alloc.h
LIB_PC		:= $(B)/lib/p4alloc.pc

lib_srcs := error layout layout_file counts plan state msg netlink region uring ctx open call \
	lock lock_send lock_answer lockcell pump txn cells batch lock_bits escrow resize \
	log_record log_file log logged replay replay_read replay_batch replay_doubt replay_abort settle
lib_objs := $(lib_srcs:%=$(B)/obj/lib/%.o)

FILES += $(LIB_STATIC) $(LIB_LINK) $(LIB_PC) $(B)/bin/example-tenant

$(B)/obj/lib/%.o: lib/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -fPIC $$(pkg-config --cflags $(LIBP4ALLOC_PKGS)) -c -o $@ $<
-include $(lib_objs:.o=.d)

$(LIB_STATIC): $(lib_objs)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

$(LIB_SHARED): $(lib_objs) lib/p4alloc.map
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -shared -Wl,-soname,libp4alloc.so.1 \
		-Wl,--version-script=lib/p4alloc.map -Wl,-z,defs -o $@ $(lib_objs) \
		$$(pkg-config --libs $(LIBP4ALLOC_PKGS))

$(LIB_LINK): $(LIB_SHARED)
	$(Q)ln -sf libp4alloc.so.1 $@

# PREFIX may differ from one call of make to the next, so this one is always made.
$(LIB_PC): lib/p4alloc.pc.in always
	$(Q)mkdir -p $(@D) && sed 's|@PREFIX@|$(PREFIX)|' $< > $@

$(eval $(call program,bin/example-tenant,util/example-tenant.c,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),))

.PHONY: always

lib_tests := lib_layout lib_counts lib_plan lib_shapes lib_state lib_msg
UNIT += $(lib_tests:%=test/%) test/lib_batch
$(foreach t,$(lib_tests),$(eval $(call program,test/$(t),test/unit/$(t).c,cmocka,$(LIBP4ALLOC),-Ilib)))
$(eval $(call program,test/lib_batch,test/unit/lib_batch.c test/unit/lib_fake.c,cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib))
UNIT += test/lib_log
$(eval $(call program,test/lib_log,test/unit/lib_log.c test/unit/lib_fake.c,cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib))
UNIT += test/lib_log_left
$(eval $(call program,test/lib_log_left,test/unit/lib_log_left.c test/unit/lib_fake.c,cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib))
UNIT += test/lib_drain_random
$(eval $(call program,test/lib_drain_random,test/unit/lib_drain_random.c test/unit/lib_fake.c,cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib))
UNIT += test/lib_lock
$(eval $(call program,test/lib_lock,test/unit/lib_lock.c test/unit/lib_fake.c,cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib))
UNIT += test/lib_resize
$(eval $(call program,test/lib_resize,test/unit/lib_resize.c test/unit/lib_fake.c,cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib))
books := test/unit/lib_books.c
UNIT += test/lib_replay test/lib_settle test/lib_settle_random
$(eval $(call program,test/lib_replay,test/unit/lib_replay.c $(books),cmocka,$(LIBP4ALLOC),-Ilib))
$(eval $(call program,test/lib_settle,test/unit/lib_settle.c $(books),cmocka,$(LIBP4ALLOC),-Ilib))
$(eval $(call program,test/lib_settle_random,test/unit/lib_settle_random.c $(books),cmocka,$(LIBP4ALLOC),-Ilib))
