# SPDX-License-Identifier: ISC
# Signpost: one Makefile, no configure step. `make help` lists the targets.
#
# Everything is built in build/<variant>/ (variants: debug, release, asan, tsan).
# Sources are found by folder; each folder becomes an archive, each
# tests/unit/**/test_*.c a program of its own.

VARIANT ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
B := build/$(VARIANT)

PKGS := libevent_core libevent_extra libevent_pthreads libevent_openssl openssl sqlite3 libunbound libidn2 jansson
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wundef -Wformat=2 -Wcast-qual -Wvla -Werror
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_debug := -O0 -g3
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE -I. $(WARN) -fstack-protector-strong -fPIE -MMD -MP \
	$(CFLAGS_$(VARIANT)) $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now $(LDFLAGS_$(VARIANT)) $(LDFLAGS)

MAINS := $(wildcard dnsd/main.c maild/main.c checker/main.c zones/cli/main.c)
LAYERS := base deliverability zones dnsd maild checker
SRC := $(filter-out $(MAINS),$(shell find $(LAYERS) -name '*.c' 2>/dev/null | sort))
LIBS := $(foreach l,$(LAYERS),$(if $(filter $(l)/%,$(SRC)),$(B)/lib$(l).a))
ALLSRC := $(shell find $(LAYERS) tests -name '*.[ch]' 2>/dev/null | sort)

PROGS := $(foreach p,dnsd maild checker,$(if $(wildcard $(p)/main.c),$(B)/bin/$(p))) \
	$(if $(wildcard zones/cli/main.c),$(B)/bin/signpost)
TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(shell find tests/unit -name 'test_*.c' 2>/dev/null | sort))
TOOLS := $(patsubst tests/tools/%.c,$(B)/tools/%,$(wildcard tests/tools/*.c))

all: $(PROGS) ## build the programs

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c -o $@ $<

define LAYER_RULE
$(B)/lib$(1).a: $(patsubst %.c,$(B)/obj/%.o,$(filter $(1)/%,$(SRC)))
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call LAYER_RULE,$(l))))

LINK = $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) -lpthread -lm

$(B)/bin/signpost: $(B)/obj/zones/cli/main.o $(LIBS)
	@mkdir -p $(@D)
	$(LINK)
$(B)/bin/%: $(B)/obj/%/main.o $(LIBS)
	@mkdir -p $(@D)
	$(LINK)
$(B)/unit/%: $(B)/obj/tests/unit/%.o $(LIBS)
	@mkdir -p $(@D)
	$(LINK) -lcmocka -lldns
$(B)/tools/%: $(B)/obj/tests/tools/%.o $(LIBS)
	@mkdir -p $(@D)
	$(LINK)

tools: $(TOOLS)

# unit: every test program, or those whose path contains T.
UNIT := $(if $(T),$(foreach t,$(TESTS),$(if $(findstring $(T),$(t)),$(t))),$(TESTS))
unit: $(UNIT) ## unit and replay tests (T=name for one)
	@tests/tools/run-units $(UNIT)

asan: ## the unit tests under address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory VARIANT=asan unit

format: ## clang-format everything
	@clang-format -i $(ALLSRC)
format-check: ## fail when clang-format would change something
	@clang-format --dry-run -Werror $(ALLSRC)

clean: ## remove build/
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -t -s "$$(printf '\t')"

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

.PHONY: all tools unit asan format format-check clean help
