# Every task of the project; `make` alone lists them.
# On a fresh machine rustup, a C linker, python3 with venv and make suffice (Debian: build-essential python3-venv); with npm
# the module is optimised too.

TARGET   := $(or $(CARGO_TARGET_DIR),target)
MODULE   := target/tollgate.wasm
# As cargo links it: what the local gateway runs.
LINKED   := $(TARGET)/wasm32-wasip1/filter/tollgate_wasm.wasm
# The filter for TCP connections is a module of its own.
TCP_MODULE := target/tollgate-tcp.wasm
TCP_LINKED := $(TARGET)/wasm32-wasip1/filter/tollgate_wasm_tcp.wasm
MODULES   = TOLLGATE_WASM=$(MODULE) TOLLGATE_TCP_WASM=$(TCP_MODULE)
# Another wasm-opt makes another module: tools/wasm-opt pins its version and its hash.
BINARYEN := $(shell sed -n 's/.*"binaryen": "\([^"]*\)".*/\1/p' tools/wasm-opt/package.json)
MUTANTS := 27.1.0
WASM_OPT := .tools/binaryen-$(BINARYEN)/node_modules/.bin/wasm-opt
COMPOSE   = TOLLGATE_COMPOSE=$(abspath target/compose) $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) -f envoy-local/compose.yaml
LOCAL    := cargo run --quiet --package tollgate-local --
# A terminal sees how far a build is.
QUIET    := $(shell test -t 2 || echo --quiet)
AGAIN    := $(MAKE) --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup wasm-target wasm-opt local linked linked-tcp build wasm image push demo up status down compose compose-down compose-test test e2e-istio e2e-matrix quota-soak lint bench fuzz quotas mutants clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: wasm-target wasm-opt local ## Fetch what the tests need: the wasm target, wasm-opt, real Envoys, a registry, promtool
	@$(LOCAL) fetch >/dev/null
	@tools/debian docker-registry .tools/registry "a registry for the tests of tollgate push"
	@tools/debian prometheus .tools/prometheus "promtool, for the tests of istio/layers/6-audit"

wasm-target:
	@rustup target list --installed | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1

wasm-opt:
	@[ -x $(WASM_OPT) ] || tools/wasm-opt/install $(BINARYEN)

local:
	@[ -x $(TARGET)/debug/tollgate-local ] || echo "building the local gateway (a minute or two, once)"
	@cargo build $(QUIET) --package tollgate-local

linked: wasm-target
	@[ -e $(LINKED) ] || echo "building the filter (two to three minutes, once)"
	@cargo build $(QUIET) --package tollgate-wasm --lib --profile filter --target wasm32-wasip1

# Apart from the other: one run of cargo would give each module the functions of both.
linked-tcp: wasm-target
	@[ -e $(TCP_LINKED) ] || echo "building the filter for connections (a minute or two, once)"
	@cargo build $(QUIET) --package tollgate-wasm-tcp --lib --profile filter --target wasm32-wasip1

build: ## Build the `tollgate` command (release): target/release/tollgate
	cargo build --release

wasm: linked linked-tcp wasm-opt ## Build the filters: target/tollgate.wasm, target/tollgate-tcp.wasm
	@mkdir -p target
	@tools/wasm-opt/optimise $(WASM_OPT) $(LINKED) $(MODULE)
	@tools/wasm-opt/optimise $(WASM_OPT) $(TCP_LINKED) $(TCP_MODULE)
	@for module in $(MODULE) $(TCP_MODULE); do echo "$$module: $$(($$(wc -c < $$module) / 1024)) KiB"; done

image: wasm build local ## Write the filter as an OCI image, the same bytes each time: target/image
	@$(LOCAL) sbom > target/sbom.json
	@$(TARGET)/release/tollgate push --module $(MODULE) --sbom target/sbom.json --layout target/image

# What would refuse in the end is asked first: a build takes minutes.
push: ## Push both filters as OCI images, with bill of materials and provenance; the one for connections as NAME-tcp (TO=oci://HOST/NAME:TAG, PUSH=--plain-http, PROVENANCE=no)
	@test -n "$(TO)" || { echo "name a repository and a tag: make push TO=oci://HOST/NAME:TAG"; exit 1; }
	@mkdir -p target
	@$(AGAIN) local
	@rm -f target/provenance.json
	@[ "$(PROVENANCE)" = no ] || $(LOCAL) provenance > target/provenance.json
	@$(AGAIN) wasm build
	@$(LOCAL) sbom > target/sbom.json
	@$(TARGET)/release/tollgate push --module $(MODULE) --sbom target/sbom.json $(if $(filter no,$(PROVENANCE)),,--provenance target/provenance.json) $(PUSH) $(TO)
	@$(TARGET)/release/tollgate push --module $(TCP_MODULE) --sbom target/sbom.json $(if $(filter no,$(PROVENANCE)),,--provenance target/provenance.json) $(PUSH) $(shell echo '$(TO)' | sed -E 's|(:[^:/]*)?$$|-tcp\1|')

demo: local linked linked-tcp ## Play the scenarios in a real Envoy and print who was let through, who was not, and why
	@TOLLGATE_WASM=$(LINKED) TOLLGATE_TCP_WASM=$(TCP_LINKED) $(LOCAL) demo

up: local linked ## Keep that gateway running and print how to ask it for things (TOLLGATE_POLICY, TOLLGATE_AS=NAMESPACE/NAME,…, TOLLGATE_PORT)
	@TOLLGATE_WASM=$(LINKED) $(LOCAL) up

status: ## Tell what it made of the policy file, and who its callers are
	@$(LOCAL) status

down: ## Stop it
	@$(LOCAL) down

compose: ## Run the same gateway with docker compose (ENVOY_IMAGE, TOLLGATE_POLICY; again after an edit)
	@docker info >/dev/null 2>&1 || { echo "no docker daemon answers; \`make up\` needs none" >&2; exit 1; }
	@$(AGAIN) local linked
	@TOLLGATE_WASM=$(LINKED) $(LOCAL) compose target/compose
	$(COMPOSE) up -d

compose-down: ## Stop it
	$(COMPOSE) down

compose-test: setup wasm ## Run it for real, with an image made of the local Envoy (skipped without docker; CI=true installs it)
	TOLLGATE_WASM=$(MODULE) envoy-local/compose-test

test: setup wasm ## Run every test, those in real Envoys included
	$(MODULES) cargo test --workspace --no-fail-fast

e2e-istio: setup wasm ## Run the filter under a real Kubernetes API server, istiod and a registry (built once, some minutes)
	TOLLGATE_WASM=$(MODULE) tests/mesh/run

e2e-matrix: wasm ## Run the tests in every release of Envoy that the filter is known to load in
	$(MODULES) TOLLGATE_ENVOYS="1.36.4 1.37.0 1.38.2 1.39.3 1.40.0" cargo test -p tollgate-cli --test gateway

quota-soak: wasm ## Race callers for quotas while policies change, with 200,000 requests for each kind of limit
	TOLLGATE_WASM=$(MODULE) TOLLGATE_QUOTA_SOAK=200000 cargo test -p tollgate-cli --test gateway races:: -- --nocapture --test-threads=1

lint: ## Check format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings

bench: wasm ## Measure the core, loads and memory in a wasm VM, the command, and the filter in Envoy; write docs/performance.md
	cargo run --release --package tollgate-bench --bin core
	cargo run --release --package tollgate-bench --bin memory
	TOLLGATE_WASM=$(MODULE) cargo run --release --package tollgate-bench --bin loading
	cargo run --release --package tollgate-bench --bin command
	cargo run --release --package tollgate-bench --bin quotas
	TOLLGATE_WASM=$(MODULE) cargo run --release --package tollgate-bench --bin envoy
	cargo run --release --package tollgate-bench --bin report

fuzz: ## Run every fuzz target for a moment
	cargo test --manifest-path fuzz/Cargo.toml --release --no-default-features --locked

quotas: ## Play millions of random operations on quotas against their model (TOLLGATE_QUOTAS_SEED, TOLLGATE_QUOTAS_TIMES)
	TOLLGATE_QUOTAS_TIMES=$(or $(TOLLGATE_QUOTAS_TIMES),20) cargo test --workspace --test core quotas:: -- --nocapture

mutants: ## Break lines of decision, request and quota one by one, and list what no test notices (FILES="src/quota/bucket.rs …", MUTANTS_RE)
	@tools/mutants $(MUTANTS) $(FILES)

clean: down ## Stop the gateway and remove everything that was built or fetched
	cargo clean
	rm -rf .tools
