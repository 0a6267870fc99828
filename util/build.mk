# SPDX-License-Identifier: GPL-2.0-or-later
# Traces, the demo's tenant node, the oracle.

PROGRAMS += bin/p4trace bin/p4oracle

$(eval $(call program,bin/p4trace,util/p4trace.c util/trace.c util/zipf.c util/args.c,,,-lm))
$(eval $(call program,bin/p4oracle,util/p4oracle.c util/oracle.c util/history_read.c util/trace.c util/args.c))
