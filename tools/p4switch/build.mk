# SPDX-License-Identifier: GPL-2.0-or-later
PROGRAMS += bin/p4switch

P4SWITCH := $(addprefix tools/p4switch/,main.c spec.c check.c pipeline.c frame.c port.c l2.c \
	command.c describe.c json_base64.c field.c control.c cores.c worker.c) tools/base64.c
# libgcc_s is loaded when DPDK ends its threads: named here, it is there wherever the program is
P4SWITCH_FLAGS := -DALLOW_EXPERIMENTAL_API -Wl,--no-as-needed,-lgcc_s

$(eval $(call program,bin/p4switch,$(P4SWITCH),libdpdk json-c,,$(P4SWITCH_FLAGS)))

# what test/switch/run drives a running p4switch with
SWITCH_DRIVE := $(addprefix test/switch/,drive.c transactions.c contention.c handover.c order.c frames.c commands.c \
	model.c host.c)

$(eval $(call program,test/switch-drive,$(SWITCH_DRIVE),json-c))

UNIT += test/switch_cores test/switch_spec test/switch_command test/switch_control test/switch_frame test/switch_p4

$(eval $(call program,test/switch_cores,test/unit/switch_cores.c tools/p4switch/cores.c,cmocka))
$(eval $(call program,test/switch_spec,test/unit/switch_spec.c tools/p4switch/spec.c \
	tools/p4switch/check.c,cmocka))
SWITCH_COMMAND := $(addprefix tools/p4switch/,command.c describe.c json_base64.c field.c spec.c) \
	tools/base64.c
$(eval $(call program,test/switch_command,test/unit/switch_command.c $(SWITCH_COMMAND),cmocka json-c))
$(eval $(call program,test/switch_control,test/unit/switch_control.c tools/p4switch/control.c \
	$(SWITCH_COMMAND),cmocka json-c))
$(eval $(call program,test/switch_frame,test/unit/switch_frame.c tools/p4switch/frame.c,cmocka))
$(eval $(call program,test/switch_p4,test/unit/switch_p4.c tools/p4switch/spec.c \
	tools/p4switch/check.c,cmocka))
$(B)/test/switch_p4: | $(B)/p4db-20-16-1024.spec $(B)/p4db.p4i
