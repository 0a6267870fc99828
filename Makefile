# SPDX-License-Identifier: GPL-2.0-or-later
# make            module/p4homa.ko, and programs and libraries under build/
# make demo       installs packages, boots a rack in a guest, runs two tenants in it; CORRUPT=1
# make test       installs packages, runs all tests; TIER="unit kunit" only these, see test/run
# make soak       the long forms of tests, hours; SOAK="inject" only these, see test/soak/run
# make bench      the transport against TCP and UDP in virtual time; ROWS="rpc100 lo" only these
# make bench-alloc the allocator's decisions, tables and layouts in virtual time; ROWS="layout" only these
# make bench-rack hosts around a switch, in virtual time, hours; RACK="--workload w3", see util/rack/run
# make install    PREFIX=/usr/local DESTDIR= ; `make uninstall`
# make modules_install    the module, for the kernel of KDIR; `make modules_uninstall`
# make dkms_install       its sources, built again for each kernel by dkms; `make dkms_uninstall`
# make clean      V=1 shows commands; KDIR=... the kernel to build the module for
# Each folder's build.mk adds its targets to the lists below.

PREFIX  ?= /usr/local
DESTDIR ?=
KDIR    ?= $(lastword $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -V))
B       := build
CC      ?= cc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
ALL_CFLAGS = -std=gnu11 $(WARN) -D_GNU_SOURCE -Iinclude -Iinclude/uapi -MMD -MP $(CFLAGS)
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-4s %s\n' '$(1)' '$(2)')

PROGRAMS :=	# installed to bin/
UNIT     :=	# cmocka programs, run by test/unit/run
FILES    :=	# generated files that belong to `all`
TESTS    :=	# further programs that tests need

all:

# $(call program,PATH UNDER build/,SOURCES,PKG-CONFIG NAMES,FURTHER OBJECTS OR LIBRARIES,FURTHER FLAGS)
define program
$(B)/$(1): $(patsubst %.c,$(B)/obj/$(1)/%.o,$(2)) $(4)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(LDFLAGS) -o $$@ $$^ $(if $(3),$$$$(pkg-config --libs $(3))) $(filter -l% -Wl% -fsanitize%,$(5))
$(B)/obj/$(1)/%.o: %.c
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(ALL_CFLAGS) $(if $(3),$$$$(pkg-config --cflags $(3))) $(filter-out -l% -Wl%,$(5)) -c -o $$@ $$<
-include $(patsubst %.c,$(B)/obj/$(1)/%.d,$(2))
endef

include $(wildcard lib/build.mk p4src/build.mk tools/*/build.mk util/build.mk util/*/build.mk test/build.mk)

all: programs module

programs: $(FILES) $(addprefix $(B)/,$(PROGRAMS))

# Everything is there or nothing is begun.
ifneq ($(filter all programs module install,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell KDIR='$(KDIR)' setup/install --check >&2 && echo complete),complete)
$(error something is missing, see above)
endif
endif

module:
	$(Q)$(MAKE) -s -C $(KDIR) M=$(CURDIR) CONFIG_DEBUG_INFO_BTF_MODULES= modules

clean:
	$(Q)rm -rf $(B)
	$(Q)[ ! -d '$(KDIR)' ] || $(MAKE) -s -C $(KDIR) M=$(CURDIR) clean

# ---------------------------------------------------------------- what needs packages and guests

JOBS := $(shell nproc)
DEMO_FILES := $(shell sed -n 's|^\($(B)/[^:]*\).*|\1|p' util/demo/files)

packages:
	$(Q)setup/install

demo: packages
	$(Q)$(MAKE) -s --no-print-directory -j$(JOBS) programs $(DEMO_FILES)
	$(Q)CORRUPT='$(CORRUPT)' util/demo/run

test: packages
	$(Q)$(MAKE) -s --no-print-directory -j$(JOBS) all test-programs
	$(Q)UNIT='$(UNIT)' test/run $(TIER)

soak: packages
	$(Q)$(MAKE) -s --no-print-directory -j$(JOBS) all test-programs
	$(Q)test/soak/run $(SOAK)

bench: packages
	$(Q)$(MAKE) -s --no-print-directory -j$(JOBS) programs test-programs
	$(Q)test/bench/run $(ROWS)

bench-alloc: packages
	$(Q)$(MAKE) -s --no-print-directory -j$(JOBS) $(BENCH_ALLOC:%=$(B)/test/bench-alloc/%) $(BENCH_NET)
	$(Q)test/bench/alloc/run $(or $(ROWS),$(BENCH_ALLOC))

bench-rack: packages
	$(Q)$(MAKE) -s --no-print-directory -j$(JOBS) programs test-programs
	$(Q)util/rack/run $(RACK)

test-programs: $(addprefix $(B)/,$(UNIT) $(TESTS))

# ---------------------------------------------------------------- installation

RELEASE = $(shell cat $(KDIR)/include/config/kernel.release)
DKMS_NAME  := p4homa/$(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' setup/dkms.conf)
DKMS_TO    := $(DESTDIR)/usr/src/$(subst /,-,$(DKMS_NAME))
DKMS_FILES := Kbuild $(filter-out %.mod.c,$(wildcard module/*.[ch] module/compat/*.* module/compat/*/*)) module/Kbuild \
	$(wildcard include/*.h include/uapi/linux/*.h)

# $(call put,MODE,FILES,FOLDER UNDER PREFIX)
put = install -d '$(DESTDIR)$(PREFIX)/$(3)' && install -m $(1) $(2) '$(DESTDIR)$(PREFIX)/$(3)/'

EXAMPLES = setup/modprobe.conf setup/modules-load.conf

# What `put` has put, by the same lists; `uninstall` takes away these and nothing else.
INSTALLED = $(addprefix bin/,$(notdir $(PROGRAMS))) \
	$(addprefix lib/,$(notdir $(LIB_STATIC) $(LIB_SHARED) $(LIB_LINK))) \
	lib/pkgconfig/$(notdir $(LIB_PC)) \
	$(addprefix include/,p4wire.h $(notdir $(LIB_HEADERS)) linux/homa.h linux/p4alloc.h) \
	share/p4alloc/p4db.spec \
	$(addprefix share/p4alloc/,$(notdir $(EXAMPLES))) \
	$(patsubst completion/%,share/bash-completion/completions/%,$(wildcard completion/*)) \
	$(patsubst man/%,share/man/%,$(wildcard man/man*/*))

install: programs
	$(Q)$(call put,755,$(addprefix $(B)/,$(PROGRAMS)),bin)
	$(Q)$(call put,644,$(LIB_STATIC),lib)
	$(Q)$(call put,755,$(LIB_SHARED),lib) && \
		ln -sf $(notdir $(LIB_SHARED)) '$(DESTDIR)$(PREFIX)/lib/$(notdir $(LIB_LINK))'
	$(Q)$(call put,644,$(LIB_PC),lib/pkgconfig)
	$(Q)$(call put,644,include/p4wire.h $(LIB_HEADERS),include)
	$(Q)$(call put,644,include/uapi/linux/homa.h include/uapi/linux/p4alloc.h,include/linux)
	$(Q)$(call put,644,$(B)/p4db.spec $(EXAMPLES),share/p4alloc)
	$(Q)$(if $(wildcard completion/*),\
		$(call put,644,$(wildcard completion/*),share/bash-completion/completions))
	$(Q)$(foreach s,$(sort $(dir $(wildcard man/man*/*))),\
		$(call put,644,$(wildcard $(s)*),share/$(patsubst %/,%,$(s))) &&) :

uninstall:
	$(Q)cd '$(DESTDIR)$(PREFIX)' && rm -f $(INSTALLED)

# With DESTDIR nothing runs depmod: the package that is made of it has to, where it is installed.
modules_install: module
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) $(if $(DESTDIR),INSTALL_MOD_PATH='$(DESTDIR)') modules_install
	$(Q)$(if $(DESTDIR),echo 'p4homa.ko can be loaded by name after: depmod $(RELEASE)',depmod $(RELEASE))

modules_uninstall:
	$(Q)rm -f '$(DESTDIR)/lib/modules/$(RELEASE)'/*/module/p4homa.ko
	$(Q)$(if $(DESTDIR),:,depmod $(RELEASE))

dkms_install:
	$(Q)install -d '$(DKMS_TO)' && cp -r --parents $(DKMS_FILES) '$(DKMS_TO)/' && \
		install -m 644 setup/dkms.conf '$(DKMS_TO)/'
	$(Q)$(if $(DESTDIR),:,dkms install $(DKMS_NAME))

dkms_uninstall:
	$(Q)$(if $(DESTDIR),:,dkms remove $(DKMS_NAME) --all)
	$(Q)rm -rf '$(DKMS_TO)'

.PHONY: all programs module clean packages demo test soak bench bench-alloc bench-rack test-programs \
	install uninstall modules_install modules_uninstall dkms_install dkms_uninstall
