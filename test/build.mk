# SPDX-License-Identifier: GPL-2.0-or-later
include test/guest/build.mk

TESTS += $(GUEST_TESTS) test/switch-drive
