# SPDX-License-Identifier: GPL-2.0-or-later
PROGRAMS += bin/p4switch

P4SWITCH := $(addprefix tools/p4switch/,main.c spec.c check.c pipeline.c frame.c port.c l2.c \
	command.c control.c worker.c)
P4SWITCH_FLAGS := -DALLOW_EXPERIMENTAL_API

$(eval $(call program,bin/p4switch,$(P4SWITCH),libdpdk json-c,,$(P4SWITCH_FLAGS)))
