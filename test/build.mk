# SPDX-License-Identifier: GPL-2.0-or-later
include test/guest/build.mk test/bench/alloc/build.mk

$(eval $(call program,test/wireshark-frames,test/wireshark/frames.c))

# the programs and packet programs that tiers run
TESTS += test/wireshark-frames
TESTS += $(GUEST_TESTS) test/switch-drive p4db-20-4-256.spec p4db-5-3-50.spec
