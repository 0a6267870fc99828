# SPDX-License-Identifier: GPL-2.0-or-later
P4CTL_PURE := diag value args table msg config help owners member allocd top explain history event knobs
P4CTL_REST := main netlink jsock output cmd_tenant cmd_geometry cmd_policy cmd_alloc cmd_watch cmd_sysctl \
	      cmd_stats cmd_rpc cmd_switch cmd_show cmd_events
P4CTL_PKGS := libnl-3.0 libnl-genl-3.0 json-c
P4CTL_FLAGS := -Itools/p4ctl -I$(B)/gen

PROGRAMS += bin/p4ctl
$(eval $(call program,bin/p4ctl,$(P4CTL_PURE:%=tools/p4ctl/%.c) $(P4CTL_REST:%=tools/p4ctl/%.c),\
	$(P4CTL_PKGS),,$(P4CTL_FLAGS)))

UNIT += test/p4ctl_value test/p4ctl_config test/p4ctl_msg test/p4ctl_watch
$(foreach t,value config msg watch,$(eval $(call program,test/p4ctl_$(t),test/unit/p4ctl_$(t).c \
	$(P4CTL_PURE:%=tools/p4ctl/%.c),$(P4CTL_PKGS) cmocka,,$(P4CTL_FLAGS))))

UNIT += test/p4ctl_switch
$(eval $(call program,test/p4ctl_switch,test/unit/p4ctl_switch.c $(addprefix tools/p4ctl/,cmd_switch.c jsock.c \
	output.c $(P4CTL_PURE:%=%.c)),$(P4CTL_PKGS) cmocka,,$(P4CTL_FLAGS)))

# The knobs' names, ranges and meanings are written once, in the module.
$(B)/gen/p4ctl_knobs.h: module/knobs.h
	$(Q)mkdir -p $(@D) && sed -n '/^#define HOMA_KNOBS/,/^$$/p' $< > $@.tmp && \
		grep -q HOMA_KNOBS $@.tmp && mv $@.tmp $@
$(foreach t,bin/p4ctl test/p4ctl_value test/p4ctl_config test/p4ctl_msg test/p4ctl_watch test/p4ctl_switch,\
	$(B)/obj/$(t)/tools/p4ctl/knobs.o): | $(B)/gen/p4ctl_knobs.h
