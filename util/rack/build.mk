# SPDX-License-Identifier: GPL-2.0-or-later
# The rack in virtual time: its generator runs in a guest, see util/rack/run.

TESTS += bin/p4load
UNIT += $(addprefix test/rack_,workload quantile reference ports backlog ideal bound)

$(eval $(call program,bin/p4load,$(addprefix util/rack/,p4load.c hosts.c idle.c load.c homa.c tcp.c $\
	arrivals.c workload.c quantile.c reference.c ports.c backlog.c ideal_load.c ideal.c bound.c $\
	heap.c) util/args.c,,,-lm))
$(eval $(call program,test/rack_workload,test/unit/rack_workload.c util/rack/workload.c,cmocka,,-lm))
$(eval $(call program,test/rack_quantile,test/unit/rack_quantile.c util/rack/quantile.c,cmocka,,-lm))
$(eval $(call program,test/rack_reference,test/unit/rack_reference.c util/rack/reference.c,cmocka))
$(eval $(call program,test/rack_ports,test/unit/rack_ports.c util/rack/ports.c util/rack/quantile.c,$\
	cmocka,,-lm))
$(eval $(call program,test/rack_backlog,test/unit/rack_backlog.c util/rack/backlog.c,cmocka))
$(eval $(call program,test/rack_ideal,test/unit/rack_ideal.c $(addprefix util/rack/,ideal.c heap.c hosts.c $\
	arrivals.c workload.c),cmocka,,-lm))
$(eval $(call program,test/rack_bound,test/unit/rack_bound.c $(addprefix util/rack/,bound.c heap.c hosts.c),$\
	cmocka,,-lm))
