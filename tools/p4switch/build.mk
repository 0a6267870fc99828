# SPDX-License-Identifier: GPL-2.0-or-later
PROGRAMS += bin/p4switch

P4SWITCH := $(addprefix tools/p4switch/,main.c spec.c check.c pipeline.c frame.c port.c l2.c \
	command.c control.c worker.c)
P4SWITCH_FLAGS := -DALLOW_EXPERIMENTAL_API

$(eval $(call program,bin/p4switch,$(P4SWITCH),libdpdk json-c,,$(P4SWITCH_FLAGS)))

# what test/switch/run drives a running p4switch with
SWITCH_DRIVE := $(addprefix test/switch/,drive.c transactions.c contention.c frames.c commands.c \
	model.c host.c)

$(eval $(call program,test/switch-drive,$(SWITCH_DRIVE),json-c))
