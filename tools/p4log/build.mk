# SPDX-License-Identifier: GPL-2.0-or-later
PROGRAMS += bin/p4log
$(eval $(call program,bin/p4log,$(addprefix tools/p4log/,main.c show.c replay.c) util/args.c,$\
	$(LIBP4ALLOC_PKGS),$(LIBP4ALLOC),-Ilib -Iutil))
