# SPDX-License-Identifier: GPL-2.0-or-later
# Traces, the demo's tenant node, the oracle.

PROGRAMS += bin/p4trace

$(eval $(call program,bin/p4trace,util/p4trace.c util/trace.c util/zipf.c util/args.c,,,-lm))
