# SPDX-License-Identifier: GPL-2.0-or-later
# build/p4db.spec is what p4switch loads. Geometry: make P4_REGISTERS= P4_BLOCKS= P4_FLOWS= P4_DEPENDENT=
# Any other one: make build/p4db-REGISTERS-BLOCKS-FLOWS[-DEPENDENT].spec; without it one array of five is
# of the dependent stage.

P4_REGISTERS ?= 20
P4_BLOCKS    ?= 16
P4_FLOWS     ?= 1024
P4_DEPENDENT ?=
P4_DEFAULT   := p4db-$(P4_REGISTERS)-$(P4_BLOCKS)-$(P4_FLOWS)$(P4_DEPENDENT:%=-%).spec

FILES += $(B)/p4db.spec

$(B)/p4db.spec: $(B)/$(P4_DEFAULT) p4_geometry
	$(Q)cmp -s $< $@ || cp $< $@

# $(call p4_dimension,NAME,VALUE,MAXIMUM[,MINIMUM])
p4_dimension = [ "$(2)" -ge $(or $(4),1) ] 2>/dev/null && [ "$(2)" -le $(3) ] || \
	{ echo "$(1) is '$(2)', must be $(or $(4),1) .. $(3)" >&2; exit 1; }

$(B)/p4db-%.spec: p4src/p4db.spec.m4 p4src/labels.awk
	$(call say,M4,$@)
	$(Q)mkdir -p $(@D); set -- $(subst -, ,$*); \
	$(call p4_dimension,REGISTERS,$(word 1,$(subst -, ,$*)),32); \
	$(call p4_dimension,BLOCKS,$(word 2,$(subst -, ,$*)),256); \
	$(call p4_dimension,FLOWS,$(word 3,$(subst -, ,$*)),65536); \
	[ $$# = 3 ] || [ $$# = 4 ] || \
		{ echo "$(@F): must be p4db-REGISTERS-BLOCKS-FLOWS[-DEPENDENT].spec" >&2; exit 1; }; \
	dependent=$${4:-$$(($$1 / 5))}; \
	$(call p4_dimension,DEPENDENT,$$dependent,$$(($$1 - 1)),0); \
	m4 -DREGISTERS=$$1 -DBLOCKS=$$2 -DFLOWS=$$3 -DDEPENDENT=$$dependent p4src/p4db.spec.m4 > $@.m4 && \
	awk -f p4src/labels.awk $@.m4 > $@.tmp && rm $@.m4 && mv $@.tmp $@

.SECONDARY: $(B)/$(P4_DEFAULT)

.PHONY: p4_geometry

# The source behind the preprocessor, for the tests; the architecture's own files are left out.
$(B)/p4db.p4i: $(wildcard p4src/*.p4)
	$(call say,CPP,$@)
	$(Q)mkdir -p $(B)/p4include && touch $(B)/p4include/core.p4 $(B)/p4include/psa.p4 && \
	$(CC) -E -P -undef -nostdinc -x assembler-with-cpp -I$(B)/p4include p4src/p4db.p4 -o $@
