# SPDX-License-Identifier: GPL-2.0-or-later
# make            module/p4homa.ko, and programs and libraries under build/
# make demo       installs packages, boots a rack in a guest, runs two tenants in it
# make test       installs packages, runs all tests
# make install    PREFIX=/usr/local DESTDIR=
# V=1 shows commands. Each folder's build.mk adds its targets to the lists below.

PREFIX  ?= /usr/local
DESTDIR ?=
KDIR    ?= /lib/modules/$(shell ls /lib/modules 2>/dev/null | sort -V | tail -1)/build
B       := build
CC      ?= cc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
ALL_CFLAGS = -std=gnu11 $(WARN) -D_GNU_SOURCE -Iinclude -Iinclude/uapi -MMD -MP $(CFLAGS)
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-4s %s\n' '$(1)' '$(2)')

PROGRAMS :=	# installed to bin/
UNIT     :=	# cmocka programs, run by `make unit`
FILES    :=	# generated files that belong to `all`

all:

# $(call program,PATH UNDER build/,SOURCES,PKG-CONFIG NAMES,FURTHER OBJECTS OR LIBRARIES,FURTHER FLAGS)
define program
$(B)/$(1): $(patsubst %.c,$(B)/obj/$(1)/%.o,$(2)) $(4)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(LDFLAGS) -o $$@ $$^ $(if $(3),$$$$(pkg-config --libs $(3))) $(filter -l% -Wl%,$(5))
$(B)/obj/$(1)/%.o: %.c
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(ALL_CFLAGS) $(if $(3),$$$$(pkg-config --cflags $(3))) $(filter-out -l% -Wl%,$(5)) -c -o $$@ $$<
-include $(patsubst %.c,$(B)/obj/$(1)/%.d,$(2))
endef

include $(wildcard lib/build.mk p4src/build.mk tools/*/build.mk util/build.mk test/build.mk)

all: module $(FILES) $(addprefix $(B)/,$(PROGRAMS))

module:
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) modules

clean:
	$(Q)rm -rf $(B)
	$(Q)[ ! -d $(KDIR) ] || $(MAKE) -s -C $(KDIR) M=$(CURDIR) clean

.PHONY: all module clean
