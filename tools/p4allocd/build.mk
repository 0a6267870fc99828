# SPDX-License-Identifier: GPL-2.0-or-later
# The pure half is what unit tests link; the rest talks to kernel, switch and disk.
P4ALLOCD_PURE := proto curve divide account check target measure plan keys flows history escrow fields records lockinfo named crowd locking lockcell cellblock out epoch waits why reservation grant resize reconcile held request engine
P4ALLOCD_IO := log loop jsonline store store_sqlite soft_cmd soft_answer digits switch_soft service explain metrics http status
P4ALLOCD_FILE := tools/p4allocd/store.c tools/p4allocd/store_sqlite.c
P4ALLOCD_ETCD := etcd election store_etcd address config seat
P4ALLOCD_REST := options netlink server main
P4ALLOCD_PKGS := json-c sqlite3
P4ALLOCD_SERVICE := $(foreach f,$(P4ALLOCD_PURE) $(P4ALLOCD_IO),tools/p4allocd/$(f).c) tools/base64.c

PROGRAMS += bin/p4allocd
$(eval $(call program,bin/p4allocd,\
	$(P4ALLOCD_SERVICE) $(foreach f,$(P4ALLOCD_ETCD) $(P4ALLOCD_REST),tools/p4allocd/$(f).c),\
	$(P4ALLOCD_PKGS) libcurl libnl-3.0 libnl-genl-3.0))

P4ALLOCD_TEST := $(P4ALLOCD_PURE:%=tools/p4allocd/%.c) test/unit/allocd_world.c
UNIT += test/allocd_engine
$(eval $(call program,test/allocd_engine,test/unit/allocd_engine.c $(P4ALLOCD_TEST),cmocka))
UNIT += test/allocd_resize
$(eval $(call program,test/allocd_resize,test/unit/allocd_resize.c $(P4ALLOCD_TEST),cmocka))
UNIT += test/allocd_random test/allocd_store test/allocd_locks test/allocd_locking
$(foreach t,random store locks locking,$(eval $(call program,test/allocd_$(t),test/unit/allocd_$(t).c \
	$(P4ALLOCD_TEST) $(P4ALLOCD_FILE),sqlite3 cmocka)))
UNIT += test/allocd_fuzz
$(eval $(call program,test/allocd_fuzz,test/unit/allocd_fuzz.c test/unit/fuzz_make.c \
	test/unit/fuzz_good.c lib/msg.c lib/error.c $(P4ALLOCD_TEST) $(P4ALLOCD_FILE),sqlite3 cmocka,,$(SANITIZE)))
UNIT += test/allocd_fuzz_lines
P4ALLOCD_WRAP := -Wl,--wrap=epoll_wait,--wrap=clock_gettime,--wrap=timerfd_settime,--wrap=p4d_log
$(eval $(call program,test/allocd_fuzz_lines,test/unit/allocd_fuzz_lines.c test/unit/fuzz_make.c \
	test/unit/fuzz_text.c test/unit/fuzz_log.c $(P4ALLOCD_SERVICE),$(P4ALLOCD_PKGS) cmocka,,\
	$(SANITIZE) $(P4ALLOCD_WRAP)))
UNIT += test/allocd_proto test/allocd_plan
$(foreach t,proto plan,$(eval $(call program,test/allocd_$(t),test/unit/allocd_$(t).c \
	$(P4ALLOCD_PURE:%=tools/p4allocd/%.c),cmocka)))
UNIT += test/allocd_divide
$(eval $(call program,test/allocd_divide,test/unit/allocd_divide.c test/unit/allocd_exact.c \
	tools/p4allocd/curve.c tools/p4allocd/divide.c,cmocka,,-lm))
UNIT += test/allocd_check
$(eval $(call program,test/allocd_check,test/unit/allocd_check.c test/unit/allocd_exact.c \
	$(P4ALLOCD_TEST),cmocka,,-lm))
UNIT += test/allocd_switch
$(eval $(call program,test/allocd_switch,test/unit/allocd_switch.c \
	$(P4ALLOCD_SERVICE),\
	$(P4ALLOCD_PKGS) cmocka,,-pthread))
UNIT += test/allocd_watch
$(eval $(call program,test/allocd_watch,test/unit/allocd_watch.c test/unit/allocd_world.c \
	$(P4ALLOCD_SERVICE),\
	$(P4ALLOCD_PKGS) cmocka,,-pthread))
UNIT += test/allocd_named
$(eval $(call program,test/allocd_named,test/unit/allocd_named.c \
	$(foreach f,named crowd out proto,tools/p4allocd/$(f).c),cmocka))
UNIT += test/lib_lockcell
$(eval $(call program,test/lib_lockcell,test/unit/lib_lockcell.c test/unit/lib_link.c $(P4ALLOCD_TEST),\
	cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib -lm))
UNIT += test/lib_allocd
$(eval $(call program,test/lib_allocd,test/unit/lib_allocd.c test/unit/lib_link.c $(P4ALLOCD_TEST),\
	cmocka $(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib -lm))
P4ALLOCD_ALL_TEST := test/unit/etcd_here.c \
	$(P4ALLOCD_SERVICE) $(P4ALLOCD_ETCD:%=tools/p4allocd/%.c)
UNIT += test/allocd_kill test/allocd_etcd
$(eval $(call program,test/allocd_kill,test/unit/allocd_kill.c test/unit/allocd_nodes.c \
	$(P4ALLOCD_ALL_TEST) $(foreach f,command control describe json_base64 field spec,tools/p4switch/$(f).c),\
	$(P4ALLOCD_PKGS) libcurl libnl-3.0 cmocka))
$(eval $(call program,test/allocd_etcd,test/unit/allocd_etcd.c $(P4ALLOCD_ALL_TEST),\
	$(P4ALLOCD_PKGS) libcurl libnl-3.0 cmocka))
UNIT += test/allocd_fuzz_etcd
P4ALLOCD_WRAP_ETCD := -Wl,--wrap=epoll_wait,--wrap=timerfd_settime,--wrap=p4d_log
$(eval $(call program,test/allocd_fuzz_etcd,test/unit/allocd_fuzz_etcd.c test/unit/fake_etcd.c \
	test/unit/fuzz_make.c test/unit/fuzz_text.c test/unit/fuzz_log.c $(P4ALLOCD_SERVICE) $(P4ALLOCD_ETCD:%=tools/p4allocd/%.c),\
	$(P4ALLOCD_PKGS) libcurl libnl-3.0 cmocka,,\
	$(SANITIZE) $(P4ALLOCD_WRAP_ETCD)))
UNIT += test/allocd_server
P4ALLOCD_WRAP_SEND := -Wl,--wrap=sendmsg,--wrap=recvmsg,--wrap=socket,--wrap=setsockopt,--wrap=bind,--wrap=p4d_log
$(eval $(call program,test/allocd_server,test/unit/allocd_server.c tools/p4allocd/loop.c,\
	cmocka,,$(P4ALLOCD_WRAP_SEND)))
UNIT += test/allocd_options
$(eval $(call program,test/allocd_options,test/unit/allocd_options.c tools/p4allocd/options.c,cmocka))
UNIT += test/allocd_standby
$(eval $(call program,test/allocd_standby,test/unit/allocd_standby.c,cmocka))
