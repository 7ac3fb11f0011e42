# SPDX-License-Identifier: ISC
# Signpost: one Makefile, no configure step. `make help` lists the targets.
#
# Everything is built in build/<variant>/ (variants: debug, release, asan, tsan, clang, fuzz,
# cover).
# Sources are found by folder; each folder becomes an archive, each
# tests/unit/**/test_*.c a program of its own. V=1 shows whole command lines.
#
# What a target needs is installed before anything else is looked at (tests/tools/need says
# so; it is silent when all is there), so that a fresh machine needs only apt, git and make.

VARIANT ?= release
ifeq ($(origin CC),default)
CC := $(if $(filter clang fuzz cover,$(VARIANT)),clang,gcc)
endif
PKG_CONFIG ?= pkg-config
AREAS := $(if $(filter command environment,$(firstword $(origin B))),$(B)) # make bench B=dns
override B := build/$(VARIANT)

# Goal -> purposes of tests/tools/need; a goal that is not listed needs `build`.
none := clean help format layers style uninstall check-fresh fuzz-report
need_unit := unit
need_asan := unit
need_tsan := unit
need_valgrind := unit system valgrind
need_lint := lint
need_analyze := lint
need_format-check := lint
need_check := lint unit system
need_system := unit system
need_run := build
need_demo := system
need_crashload := system
need_killroles := system
need_crash := system
need_fail := system
need_fuzz := fuzz
need_fuzz-long := fuzz
need_fuzz-merge := fuzz
need_fuzz-coverage := fuzz
need_fuzz-replay := unit
need_bench := bench
need_hostile := system
need_soak := system
NEED := $(sort $(foreach g,$(filter-out $(none),$(or $(MAKECMDGOALS),all)),$(or $(need_$(g)),build)))
ifneq ($(NEED),)
ifneq ($(shell tests/tools/need $(NEED) >&2 || echo missing),)
$(error what `make $(MAKECMDGOALS)` needs is missing)
endif
endif

PKGS := libevent_core libevent_extra libevent_pthreads libevent_openssl openssl sqlite3 libunbound libidn2 jansson libseccomp
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wundef -Wformat=2 -Wcast-qual -Wvla -Werror
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_debug := -O0 -g3
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread
# string-conversion: assert(!"reason"). cast-qual: OpenSSL's macros; gcc tells them apart.
CFLAGS_clang := -O1 -Wno-string-conversion -Wno-cast-qual
# The edges of every function are counted for the fuzzer; see tests/fuzz/README.md.
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -Wno-string-conversion -Wno-cast-qual
CFLAGS_cover := -O1 -g -fprofile-instr-generate -fcoverage-mapping -Wno-string-conversion -Wno-cast-qual
LDFLAGS_fuzz := -fsanitize=address,undefined
LDFLAGS_cover := -fprofile-instr-generate
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
LOAD := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/bench/load/*.c))
BENCH := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))

FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

all: $(PROGS) ## build the programs

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

# $(call say,WORD) in front of a command: the word and the target, or with V=1 all of it.
say = $(if $(V),,@printf '  %-6s%s\n' $(1) $@;)

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -c -o $@ $<

define LAYER_RULE
$(B)/lib$(1).a: $(patsubst %.c,$(B)/obj/%.o,$(filter $(1)/%,$(SRC)))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call LAYER_RULE,$(l))))

LINK = $(call say,LINK)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) -lpthread -lm

$(B)/bin/signpost: $(B)/obj/zones/cli/main.o $(LIBS)
	@mkdir -p $(@D)
	$(LINK)
$(B)/bin/%: $(B)/obj/%/main.o $(LIBS)
	@mkdir -p $(@D)
	$(LINK)
$(B)/unit/%: $(B)/obj/tests/unit/%.o $(LIBS)
	@mkdir -p $(@D)
	$(LINK) -lcmocka -lldns
$(B)/tools/%: $(B)/obj/tests/tools/%.o $(LOAD) $(LIBS)
	@mkdir -p $(@D)
	$(LINK)

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(LOAD) $(LIBS)
	@mkdir -p $(@D)
	$(LINK)
# One fuzz target twice: driven by the fuzzer, and run over files only.
FUZZ_HELP := $(filter-out replay fuzz_%,$(notdir $(basename $(wildcard tests/fuzz/*.c))))
$(B)/libfuzz.a: $(FUZZ_HELP:%=$(B)/obj/tests/fuzz/%.o)
	@rm -f $@
	@ar rcs $@ $^
$(B)/target/%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/libfuzz.a $(LIBS)
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer -lldns
$(B)/replay/%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/obj/tests/fuzz/replay.o $(B)/libfuzz.a $(LIBS)
	@mkdir -p $(@D)
	$(LINK) -lldns

# Loaded into other people's programs, so nothing of ours is linked in.
$(B)/bench/slowsync.so: tests/bench/preload/slowsync.c
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -fPIC -shared -o $@ $<

# Preloaded into the programs by the crash test: ours and SQLite's file operations pass it.
$(B)/crash/%.so: tests/crash/%.c
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O1 -g -fPIC -shared -o $@ $< -lpthread

tools: $(TOOLS) $(BENCH)

# unit: every test program, or those whose path contains a word of T.
UNIT := $(if $(T),$(foreach t,$(TESTS),$(if $(strip $(foreach w,$(T),$(findstring $(w),$(t)))),$(t))),$(TESTS))
unit: $(UNIT) ## unit and replay tests (T=name for one)
	@tests/tools/run-units $(UNIT)

run: all ## both daemons on loopback with a sample domain, until Ctrl-C
	@tests/tools/run
demo: all ## a domain from nothing to mail both ways, with real output (root)
	@tests/system/demo
system: all tools ## whole daemons with real peers and clients (root; T=name for some)
	@tests/system/run $(T)
crashload: all tools ## 5,000 messages, ten times kill -9: nothing promised is lost (root)
	@tests/system/crashload $(ARGS)
hostile: all tools ## legitimate mail beside 200 hostile connections (root; MINUTES=5)
	@tests/system/hostile $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)
crash: all $(B)/crash/fsrec.so ## stopped at every file operation, started again, looked at (root)
	@tests/crash/crash $(ARGS)
fail: all $(B)/crash/fsrec.so ## every file operation fails in turn, the daemon stays up (root)
	@tests/crash/fail $(ARGS)
soak: all tools ## 30 minutes at half load: nothing grows but what remembers (root; MINUTES=30)
	@tests/system/soak $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)
killroles: all tools ## each role is killed 20 times under load: nothing is lost, back in 2 s (root)
	@tests/system/killroles $(ARGS)
addlatency: all tools ## a new domain is answered within 50 ms under 10,000 queries/s
	@tests/system/addlatency $(ARGS)

bench: all tools $(B)/bench/slowsync.so ## ours beside the peers in one run (root; B=dns, ROUNDS=, SECONDS=)
	@tests/bench/run $(addprefix --area ,$(AREAS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS))

# Sanitizers and valgrind. `make VARIANT=asan system` runs the scenarios, with `privsep off`.
asan: ## the unit tests under address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory VARIANT=asan unit
tsan: ## what has threads, and dnsd under load, under the thread sanitizer
	@$(MAKE) --no-print-directory VARIANT=tsan unit T='/io/ /dnsd/ core/test_log maild/store maild/edge'
	@$(MAKE) --no-print-directory VARIANT=tsan all tools
	@VARIANT=tsan tests/system/addlatency --domains 500 --rate 2000 --runs 8 --limit-ms 5000
# Not test_sandbox and test_supervise: they make filters and descriptors that valgrind cannot have.
MEMCHECK := valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite --suppressions=tests/tools/valgrind.supp
valgrind: all tools $(TESTS) ## units and some scenarios under memcheck (root; half an hour)
	@RUN_UNDER="$(MEMCHECK)" RUN_LIMIT=1800 tests/tools/run-units \
		$(filter-out %/test_sandbox %/test_supervise,$(UNIT))
	@SIGNPOST_VALGRIND=1 tests/system/run $(if $(T),$(T),test_dns test_smtp.Smtp test_submission.SubmissionTest test_imap)

# Fuzzing: T=name for some targets, JOBS at a time.
FUZZ_RUN := $(if $(T),$(foreach t,$(FUZZ),$(if $(strip $(foreach w,$(T),$(findstring $(w),$(t)))),$(t))),$(FUZZ))
FUZZ_SECONDS ?= 10
SLICE ?= 60
JOBS ?= 1
fuzz-programs: $(FUZZ_RUN:%=$(B)/target/%)
fuzz-replays: $(FUZZ_RUN:%=$(B)/replay/%)
fuzz: ## each parser against the fuzzer for FUZZ_SECONDS (T=name, JOBS)
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-programs
	@tests/fuzz/tools/run --seconds $(FUZZ_SECONDS) --jobs $(JOBS) $(FUZZ_RUN)
fuzz-long: ## the same, round and round for MINUTES in all
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-programs
	@tests/fuzz/tools/run --minutes $(or $(MINUTES),60) --seconds $(SLICE) --jobs $(JOBS) $(FUZZ_RUN)
fuzz-merge: ## put what is new and small of build/fuzz/corpus into tests/fuzz/corpus
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-programs
	@tests/fuzz/tools/merge $(FUZZ_RUN)
fuzz-replay: ## the committed inputs of all targets under the address sanitizer
	@$(MAKE) --no-print-directory VARIANT=asan fuzz-replays
	@tests/fuzz/tools/replay build/asan/replay $(FUZZ_RUN)
fuzz-coverage: ## lines and branches of each parser that the committed inputs reach
	@$(MAKE) --no-print-directory VARIANT=cover fuzz-replays
	@tests/fuzz/tools/coverage $(FUZZ_RUN)
fuzz-report: ## time spent and findings of all fuzz runs in this tree
	@tests/fuzz/tools/report

# Lint. clang-tidy is slow, so every source has a stamp that its object renews. Its path-wise
# analyzer takes nine tenths of the time and so is a target of its own, not part of the gate.
TIDY := $(patsubst %.c,build/tidy/%.ok,$(SRC) $(MAINS))
ANALYZED := $(patsubst %.c,build/analyze/%.ok,$(SRC) $(MAINS))
TIDY_FLAGS := -std=c11 -D_GNU_SOURCE -I. $(PKG_CFLAGS)
SCRIPTS := $(shell grep -lrE --exclude-dir=__pycache__ '^\#!/(usr/)?bin/(env )?(ba|da)?sh' tests .ci 2>/dev/null | sort)
PAGES := $(wildcard docs/man/*.[1-8])

build/tidy/%.ok: TIDY_ONLY := --checks=-clang-analyzer-*
build/analyze/%.ok: TIDY_ONLY :=
build/tidy/%.ok build/analyze/%.ok: %.c .clang-tidy build/release/obj/%.o
	@mkdir -p $(@D)
	$(call say,TIDY)clang-tidy --quiet $(TIDY_ONLY) $< -- $(TIDY_FLAGS) 2>$(@:.ok=.err) \
		|| { cat $(@:.ok=.err) >&2; exit 1; }
	@touch $@

layers: ## who may include whom
	@tests/tools/check-layers
style: ## bans, lengths, headers of files
	@tests/tools/check-style
pure: $(patsubst %.c,build/release/obj/%.o,$(SRC)) ## pure folders make no system calls
	@tests/tools/check-pure build/release/obj
tidy: $(TIDY) ## clang-tidy, only what changed
	@echo "tidy: $(words $(TIDY)) sources"
analyze: $(ANALYZED) ## clang-tidy with its static analyzer, only what changed (slow)
	@echo "analyze: $(words $(ANALYZED)) sources"
# ctuuninitvar takes out-parameters for inputs; internalAstError is about its own parser.
cppcheck: ## cppcheck, only what changed
	@mkdir -p build/cppcheck
	@cppcheck --quiet --std=c11 -D_GNU_SOURCE -I. -j 2 --enable=warning,performance,portability \
		--inline-suppr --suppress=missingInclude \
		--suppress=ctuuninitvar --suppress=internalAstError --error-exitcode=1 \
		--cppcheck-build-dir=build/cppcheck $(filter-out dist,$(wildcard $(LAYERS)))
	@echo "cppcheck: no findings"
manlint: ## manual pages
	@$(if $(PAGES),mandoc -T lint -W warning $(PAGES))
	@echo "mandoc: $(words $(PAGES)) pages"
shellcheck: ## shell scripts
	@$(if $(SCRIPTS),shellcheck $(SCRIPTS))
	@echo "shellcheck: $(words $(SCRIPTS)) scripts"
suites: tools ## conformance data of ../shared, where present
	@tests/suites/run
docs: $(B)/tools/docgen ## put the generated tables into the pages
	@tests/tools/gen-docs
docs-check: $(B)/tools/docgen ## fail when a generated table is stale
	@tests/tools/gen-docs --check
lint: layers style pure docs-check tidy cppcheck manlint shellcheck ## all static checks

format: ## clang-format everything
	@clang-format -i $(ALLSRC)
format-check: ## fail when clang-format would change something
	@clang-format --dry-run -Werror $(ALLSRC)

check: ## everything that gates a change
	@tests/tools/check
check-fresh: ## `make run` and `make check` in a fresh minimal Debian tree
	@tests/tools/check-fresh

PREFIX ?= /usr/local
SBIN := $(DESTDIR)$(PREFIX)/sbin
BIN := $(DESTDIR)$(PREFIX)/bin
MAN := $(DESTDIR)$(PREFIX)/share/man
EXAMPLES := $(DESTDIR)$(PREFIX)/share/doc/signpost/examples
SYSUSERS := $(DESTDIR)$(PREFIX)/lib/sysusers.d
install: all ## programs, manual pages, examples (DESTDIR, PREFIX)
	@install -d $(SBIN) $(BIN) $(EXAMPLES)
	@install -m 755 $(wildcard $(B)/bin/maild $(B)/bin/dnsd) $(SBIN)
	@install -m 755 $(wildcard $(B)/bin/signpost $(B)/bin/checker) $(BIN)
	@install -m 644 docs/examples/* $(EXAMPLES)
	@install -D -m 644 docs/examples/sysusers.conf $(SYSUSERS)/signpost.conf
	@for page in $(PAGES); do \
		install -D -m 644 $$page $(MAN)/man$${page##*.}/$${page##*/} || exit 1; done
uninstall: ## remove what `make install` put there
	@rm -f $(SBIN)/maild $(SBIN)/dnsd $(BIN)/signpost $(BIN)/checker
	@rm -f $(foreach p,$(PAGES),$(MAN)/man$(patsubst .%,%,$(suffix $(p)))/$(notdir $(p)))
	@rm -f $(SYSUSERS)/signpost.conf
	@rm -rf $(dir $(EXAMPLES))

clean: ## remove build/
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -t -s "$$(printf '\t')"

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

.PHONY: all tools fuzz fuzz-long fuzz-merge fuzz-replay fuzz-coverage fuzz-report fuzz-programs fuzz-replays unit run demo system crash fail crashload hostile soak addlatency asan tsan valgrind layers style pure tidy analyze cppcheck manlint shellcheck lint format \
	format-check check check-fresh install uninstall clean help
