# make alone prints the targets. Everything needs Go alone: tools come through Go modules (tools/go.mod).

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
SECONDS_EACH ?= 10
GENERATED = messaging/pb/*.pb.go configs/*.yaml configs/*.conf docs/metrics.md

.PHONY: help
help: ## print the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/paxosd, statically
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/paxosd ./cmd/paxosd

.PHONY: test
test: ## run all tests
	$(GO) test ./...

.PHONY: race
race: ## run all tests under the race detector, the long ones shortened
	$(GO) test -race -short ./...

.PHONY: lint
lint: ## lint, tests of real processes too, and check the formatting
	$(TOOL) golangci-lint run --build-tags e2e
	cd bench && $(GO) tool -modfile=../tools/go.mod golangci-lint run --build-tags e2e ./...

.PHONY: fmt
fmt: ## format
	$(TOOL) golangci-lint fmt

.PHONY: generate
generate: ## write generated files again: wire format, shipped configuration, table of metrics
	$(GO) generate ./...

.PHONY: generated
generated: ## check that generated files are as they are generated
	@before=$$(cat $(GENERATED) | cksum) && $(MAKE) --no-print-directory generate && after=$$(cat $(GENERATED) | cksum) && \
	if [ "$$before" != "$$after" ]; then echo "generated files were out of date; they are written now: commit them" >&2; exit 1; fi

.PHONY: fuzz-short
fuzz-short: ## run each fuzz target for SECONDS_EACH seconds (10)
	.ci/fuzz $(SECONDS_EACH)

.PHONY: e2e
e2e: ## run a cluster of real processes that are killed, paused and starved
	$(GO) test -tags e2e -count=1 -timeout 10m ./e2e

SEEDS ?= 2000
.PHONY: sim
sim: ## simulate whole clusters under faults: SEEDS (2000) of them, or the one run of SEED
ifdef SEED
	$(GO) run ./sim/cmd/paxossim -seed $(SEED) $(if $(PROFILE),-profile $(PROFILE))
else
	$(GO) run ./sim/cmd/paxossim -kept -seeds $(SEEDS) -shrink
	$(GO) run ./sim/cmd/paxossim -profile store -seeds $$(($(SEEDS) / 10)) -shrink
endif

.PHONY: mutants
mutants: ## plant every bug, and write and print which is caught by what, and how soon: docs/mutants.md
	$(GO) run ./sim/mutants/cmd/mutants -write && cat docs/mutants.md

.PHONY: mutants-replay
mutants-replay: ## replay the known catching seed of every planted bug
	$(GO) run ./sim/mutants/cmd/mutants -replay

CHAOS_MINUTES ?= 10
.PHONY: chaos
chaos: ## do what networks, disks and operators do to a cluster of real processes for CHAOS_MINUTES (10), as root
	$(GO) build -o bin/paxosd ./cmd/paxosd && $(GO) build -o bin/chaos ./e2e/chaos/cmd/chaos && \
	bin/chaos -paxosd bin/paxosd -minutes $(CHAOS_MINUTES) $(if $(SEED),-seed $(SEED))

.PHONY: bench
bench: ## measure paxosd beside JetStream, etcd and dragonboat on this machine: one round of the main loads, about 9 minutes
	cd bench && $(GO) run ./cmd/bench run -json ../bin/bench.json -plots ../bin/bench

.PHONY: bench-full
bench-full: ## the same with every load, three rounds, 21 killed leaders each: about an hour and a half
	cd bench && $(GO) run ./cmd/bench run -full -rounds 3 -seconds 4 -trials 7 -json ../bin/bench-full.json -plots ../bin/bench-full

.PHONY: bench-test
bench-test: ## a little of each load on each of those systems
	cd bench && $(GO) test -tags e2e ./...

.PHONY: check
check: test race lint e2e ## what must pass before a change goes in
