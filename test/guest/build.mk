# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that guest scenarios run; GUEST_TESTS lists them, under build/.

t_homa := test/guest/t_homa.c
t_nl   := test/guest/t_homa.c test/guest/t_netlink.c

$(eval $(call program,test/guest/rpc,test/guest/rpc.c $(t_homa)))
$(eval $(call program,test/guest/tenant-rights,test/guest/tenant-rights.c $(t_nl),libnl-genl-3.0))
$(eval $(call program,test/guest/netlink-bad,test/guest/netlink-bad.c $(t_nl),libnl-genl-3.0))
$(eval $(call program,test/guest/netlink-state,test/guest/netlink-state.c $(t_nl),libnl-genl-3.0))
$(eval $(call program,test/guest/txn-errors,test/guest/txn-errors.c $(t_nl),libnl-genl-3.0))
$(eval $(call program,test/guest/txn-once,test/guest/txn-once.c $(t_nl),libnl-genl-3.0))
$(eval $(call program,test/guest/txn-races,test/guest/txn-races.c $(t_nl),libnl-genl-3.0))
$(eval $(call program,test/guest/txn-rtt,test/guest/txn-rtt.c $(t_nl),libnl-genl-3.0))
$(eval $(call program,test/guest/waiters,test/guest/waiters.c $(t_homa)))
$(eval $(call program,test/guest/inject,test/guest/inject.c $(t_homa)))
$(eval $(call program,test/guest/late,test/guest/late.c $(t_homa)))
$(eval $(call program,test/guest/fail-alloc,test/guest/fail-alloc.c $(t_nl),libnl-genl-3.0))
$(eval $(call program,test/guest/fake-switch,test/guest/fake-switch.c $(t_homa)))
$(eval $(call program,test/guest/waiting,test/guest/waiting.c $(t_homa),liburing))
$(eval $(call program,test/guest/unreachable,test/guest/unreachable.c $(t_homa)))
$(eval $(call program,test/guest/other-homa,test/guest/other-homa.c $(t_homa)))
$(eval $(call program,test/guest/lock-loop,test/guest/lock-loop.c,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))
$(eval $(call program,test/guest/event-loop,test/guest/event-loop.c,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))
$(eval $(call program,test/guest/locker,test/guest/locker.c,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))
$(eval $(call program,test/guest/roamer,test/guest/roamer.c,$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC)))
$(eval $(call program,test/guest/witness,test/guest/witness.c util/jsonline.c,json-c,,-Iutil))
UNIT += test/guest_witness
$(eval $(call program,test/guest_witness,test/unit/guest_witness.c util/jsonline.c \
	tools/p4switch/control.c $(SWITCH_COMMAND),json-c cmocka,,-Iutil))
$(eval $(call program,test/guest/api,test/guest/api.c $(t_homa)))

# the same for a 32-bit user space
$(B)/test/guest/api32: test/guest/api.c $(t_homa)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -m32 -o $@ $^

GUEST_TESTS += $(addprefix test/guest/,rpc tenant-rights netlink-bad netlink-state txn-errors \
	txn-once txn-races txn-rtt waiters inject late fail-alloc fake-switch api api32 waiting \
	unreachable other-homa lock-loop event-loop locker roamer witness)
