# Tocsin. `make run` and `make test` are the two commands; `make help` lists the others.

# A folder is a room; behind it, the rooms that it may include (tests/layers.sh checks it).
ROOMS          := base event db net bus collector decoder sigma correlator storage cli
USES_base      :=
USES_event     := base
USES_db        := base
USES_net       := base
USES_bus       := base event db
USES_collector := base event net bus
USES_decoder   := base event
USES_sigma     := base event
USES_correlator:= base event db bus decoder sigma
USES_storage   := base event db bus
USES_cli       := base event db net bus collector decoder sigma correlator storage

LIBS_base := -lyaml
LIBS_event := -ljansson
LIBS_db := -llmdb
LIBS_net := -lssl -lcrypto
LIBS_bus := -lrdkafka -lpthread
LIBS_collector := -lz -lm
LIBS_sigma := -lpcre2-8
LIBS_cli := -lpthread

# MODE: release, asan (address and undefined behaviour), fuzz (clang's libFuzzer), coverage
MODE ?= release
B    ?= build/$(MODE)
CC   ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
PYTHON ?= python3
# V=1 shows whole command lines
V ?= 0
ifeq ($(V),0)
Q = @echo "  $(1) $@";
endif

WARN := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wformat=2 -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough -Wswitch-enum -Wundef \
	-Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types \
	-Werror=int-conversion
ifeq ($(findstring clang,$(CC)),)
WARN += -Wtrampolines -Wbidi-chars=any
INIT := -ftrivial-auto-var-init=zero
else
# clang 14 knows zero only behind a flag that says that it will go
INIT := -ftrivial-auto-var-init=pattern
endif
HARDEN := -fstack-clash-protection -fstack-protector-strong -fcf-protection=full \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing \
	$(INIT) -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen -Wl,--as-needed

CFLAGS_release  := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN)
CFLAGS_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -ftrivial-auto-var-init=pattern
CFLAGS_fuzz     := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
CFLAGS_coverage := -O0 -g --coverage
LDFLAGS_release := $(LDHARDEN)
LDFLAGS_asan    := -fsanitize=address,undefined
LDFLAGS_fuzz    := -fsanitize=address,undefined,fuzzer
LDFLAGS_coverage := --coverage

VERSION := 0.1.0
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -DTOCSIN_VERSION='"$(VERSION)"' -I. $(WARN) $(CFLAGS_$(MODE)) $(OPT) \
	-MMD -MP $(CFLAGS)
LDFLAGS_ALL = $(LDFLAGS_$(MODE)) $(LDFLAGS)

# The rooms that every event goes through.
OPT_release := -O3
$(foreach r,base event decoder sigma correlator,$(B)/$(r)/%.o): OPT = $(OPT_$(MODE))

OBJECTS = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
# The archives that a program of a room links, and the libraries behind them.
CLOSURE  = $(1) $(sort $(USES_$(1)) $(foreach r,$(USES_$(1)),$(USES_$(r))))
ARCHIVES = $(foreach r,$(call CLOSURE,$(1)),$(if $(wildcard $(r)/*.c),$(B)/lib$(r).a))
LIBRARIES = $(sort $(foreach r,$(call CLOSURE,$(1)),$(LIBS_$(r))))

.DEFAULT_GOAL := all

UNIT  := $(sort $(wildcard tests/*/test_*.c))
FUZZ  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
BENCH := $(sort $(wildcard bench/bench_*.c))

.PHONY: all
all: $(B)/tocsin

$(B)/tocsin: $(foreach r,$(ROOMS),$(if $(wildcard $(r)/*.c),$(B)/lib$(r).a))
	$(call Q,LD)$(CC) $(CFLAGS_ALL) -o $@ -Wl,--start-group $^ -Wl,--end-group $(LDFLAGS_ALL) \
		$(sort $(foreach r,$(ROOMS),$(LIBS_$(r))))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call Q,CC)$(CC) $(CFLAGS_ALL) -c -o $@ $<

define ROOM_RULE
$(B)/lib$(1).a: $$(call OBJECTS,$(1))
	@rm -f $$@
	$$(call Q,AR)ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM_RULE,$(r))))

# tests/ROOM/test_x.c links ROOM and what ROOM may use; tests of no room (flow) link everything.
# Helpers shared by the tests of a folder are its other .c files.
define UNIT_RULE
$(B)/$(basename $(1)): $(B)/$(basename $(1)).o \
		$$(patsubst %.c,$(B)/%.o,$$(filter-out tests/$(2)/test_%.c,$$(wildcard tests/$(2)/*.c))) \
		$$(call ARCHIVES,$(if $(filter $(2),$(ROOMS)),$(2),cli))
	$$(call Q,LD)$$(CC) $$(CFLAGS_ALL) -o $$@ -Wl,--start-group $$^ -Wl,--end-group $$(LDFLAGS_ALL) \
		$$(call LIBRARIES,$(if $(filter $(2),$(ROOMS)),$(2),cli)) -lcmocka
endef
$(foreach t,$(UNIT),$(eval $(call UNIT_RULE,$(t),$(notdir $(patsubst %/,%,$(dir $(t)))))))

# A fuzz target names the room it is for in its first line: "/* fuzz: ROOM ...". Outside MODE=fuzz it
# is linked with tests/fuzz/replay.c, which replays a corpus.
FUZZ_ROOM = $(shell sed -n '1s,^/\* fuzz: \([a-z]*\).*,\1,p' $(1))
define FUZZ_RULE
$(B)/$(basename $(1)): $(B)/$(basename $(1)).o $(if $(filter fuzz,$(MODE)),,$(B)/tests/fuzz/replay.o) \
		$$(call ARCHIVES,$(call FUZZ_ROOM,$(1)))
	$$(call Q,LD)$$(CC) $$(CFLAGS_ALL) -o $$@ -Wl,--start-group $$^ -Wl,--end-group $$(LDFLAGS_ALL) \
		$$(call LIBRARIES,$(call FUZZ_ROOM,$(1)))
endef
$(foreach t,$(FUZZ),$(eval $(call FUZZ_RULE,$(t))))

# A bench whose first line says "/* bench: ROOM" is linked with that room and what it uses; else all.
BENCH_ROOM = $(or $(shell sed -n '1s,^/\* bench: \([a-z]*\).*,\1,p' $(1)),cli)
define BENCH_RULE
$(B)/$(basename $(1)): $(B)/$(basename $(1)).o $$(call ARCHIVES,$(2))
	$$(call Q,LD)$$(CC) $$(CFLAGS_ALL) -o $$@ -Wl,--start-group $$^ -Wl,--end-group $$(LDFLAGS_ALL) \
		$$(call LIBRARIES,$(2))
endef
$(foreach t,$(BENCH),$(eval $(call BENCH_RULE,$(t),$(call BENCH_ROOM,$(t)))))

UNIT_PROGRAMS  := $(patsubst %.c,$(B)/%,$(UNIT))
FUZZ_PROGRAMS  := $(patsubst %.c,$(B)/%,$(FUZZ))
BENCH_PROGRAMS := $(patsubst %.c,$(B)/%,$(BENCH))

.PHONY: unit fuzzers benches
unit: $(UNIT_PROGRAMS)
fuzzers: $(FUZZ_PROGRAMS)
benches: $(BENCH_PROGRAMS)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- the two commands ----

.PHONY: run test test-long deps deps-test help
# Installs what is missing, builds, starts everything on the embedded bus, plays the scenario.
run: deps
	@$(MAKE) --no-print-directory -j2 all
	@TOCSIN=$(B)/tocsin sh deploy/run.sh

# Installs what is missing and passes the whole suite (tests/run.sh).
test: deps-test
	@bash tests/run.sh

# The campaigns in full: hours.
test-long: deps-test
	@TOCSIN_LONG=1 bash tests/run.sh

deps:
	@sh deploy/deps.sh run
deps-test:
	@sh deploy/deps.sh test

# ---- taste that is executed ----

.PHONY: layers shape format docs
layers:
	@bash tests/layers.sh
shape:
	@$(PYTHON) tests/shape.py
docs: $(B)/tocsin
	$(B)/tocsin config --markdown --lang en > docs/CONFIGURATION.md
	$(B)/tocsin help --markdown --lang en > docs/COMMANDS.md
	$(B)/tocsin help --markdown --lang vi > docs/COMMANDS.vi.md
	$(B)/tocsin decode --markdown --lang en > docs/DECODERS.md
	$(B)/tocsin rules check --markdown --lang en > docs/LINT.md

# ---- a real broker (deploy/kafka.sh), for TOCSIN_TEST_KAFKA=127.0.0.1:19092 ----

.PHONY: kafka kafka-stop
kafka:
	@sh deploy/kafka.sh start
kafka-stop:
	@sh deploy/kafka.sh stop

# ---- figures, fuzzing ----

.PHONY: bench bench-collector fuzz
bench: deps-test
	@$(MAKE) --no-print-directory -j2 all benches
	@bash bench/run.sh

# The collector beside rsyslog and syslog-ng, one table: make bench-collector ROWS=tcp,udp-150000
bench-collector: deps-test
	@$(MAKE) --no-print-directory -j2 all $(B)/bench/bench_send $(B)/bench/bench_count
	@TOCSIN_BIN=$(B)/tocsin $(PYTHON) bench/senders.py --rows "$(ROWS)" --json build/senders.jsonl

# One target for a time: make fuzz TARGET=frame SECONDS=60; all of them without TARGET.
SECONDS ?= 60
fuzz:
	@$(MAKE) --no-print-directory -j2 MODE=fuzz CC=clang fuzzers
	@for f in $(if $(TARGET),build/fuzz/tests/fuzz/fuzz_$(TARGET),build/fuzz/tests/fuzz/fuzz_?*); do \
		case $$f in *.o|*.d) continue ;; esac; n=$${f##*fuzz_}; mkdir -p build/fuzz/corpus/$$n; \
		echo "== $$n"; $$f -max_total_time=$(SECONDS) -print_final_stats=1 \
			-artifact_prefix=build/fuzz/$$n- build/fuzz/corpus/$$n tests/fuzz/corpus/$$n \
			2>&1 | tail -12 || exit 1; done

# ---- installation ----

.PHONY: install uninstall clean
install: all
	install -D -m 755 $(B)/tocsin $(DESTDIR)$(PREFIX)/bin/tocsin
	mkdir -p $(DESTDIR)$(PREFIX)/share/tocsin
	cp -r rules $(DESTDIR)$(PREFIX)/share/tocsin/
	mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,/usr/local/bin/,$(PREFIX)/bin/,' deploy/tocsin.service \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/tocsin.service
	mkdir -p $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/vi/man1
	for l in en vi; do d=$(DESTDIR)$(PREFIX)/share/man/man1; \
		[ $$l = en ] || d=$(DESTDIR)$(PREFIX)/share/man/$$l/man1; \
		$(B)/tocsin help --man --lang $$l > $$d/tocsin.1; \
		for c in $$(sed -n 's/^COMMAND(\(.*\))$$/\1/p' cli/commands.def); do \
			$(B)/tocsin help $$c --man --lang $$l > $$d/tocsin-$$c.1; done; done
	mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(B)/tocsin help --bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tocsin

uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/tocsin $(DESTDIR)$(PREFIX)/share/tocsin \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/tocsin.service \
		$(DESTDIR)$(PREFIX)/share/man/man1/tocsin*.1 \
		$(DESTDIR)$(PREFIX)/share/man/vi/man1/tocsin*.1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tocsin

clean:
	rm -rf build/release build/asan build/fuzz build/clang build/coverage build/test build/run

help:
	@echo 'make run        install what is missing, build, and see attacks found in real syslog'
	@echo 'make test       install what is missing, and pass the whole suite'
	@echo 'make test-long  the campaigns in full (hours)'
	@echo 'make            build build/release/tocsin'
	@echo 'make install    into PREFIX (/usr/local)'
	@echo 'make bench-collector  the collector beside rsyslog and syslog-ng'
	@echo 'make bench      figures beside peers; make fuzz  libFuzzer; make kafka  a real broker'
	@echo 'make docs       generated references; make layers shape  taste that is executed'
