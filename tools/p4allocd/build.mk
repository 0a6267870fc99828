# SPDX-License-Identifier: GPL-2.0-or-later
# The pure half is what unit tests link; the rest talks to kernel, switch and disk.
P4ALLOCD_PURE := proto plan flows history escrow out grant reconcile request engine
P4ALLOCD_IO := log loop jsonline store switch_soft service status
P4ALLOCD_REST := options netlink server main
P4ALLOCD_PKGS := json-c sqlite3

PROGRAMS += bin/p4allocd
$(eval $(call program,bin/p4allocd,\
	$(foreach f,$(P4ALLOCD_PURE) $(P4ALLOCD_IO) $(P4ALLOCD_REST),tools/p4allocd/$(f).c),\
	$(P4ALLOCD_PKGS) libnl-3.0 libnl-genl-3.0))
