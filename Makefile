# Every task of the project; `make` alone lists them.
# On a fresh machine rustup, python3 and make suffice; with npm the module is optimised too.

TARGET   := $(or $(CARGO_TARGET_DIR),target)
MODULE   := target/tollgate.wasm
BUILT    := $(TARGET)/wasm32-wasip1/filter/tollgate_filter.wasm
# The version is pinned: another wasm-opt makes another module.
BINARYEN := 132.0.0
WASM_OPT := .tools/binaryen-$(BINARYEN)/node_modules/.bin/wasm-opt
REGISTRY := .tools/registry/usr/bin/docker-registry
COMPOSE   = TOLLGATE_COMPOSE=$(abspath target/compose) $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) -f envoy-local/compose.yaml
LOCAL    := cargo run --quiet --package tollgate-local --

.DEFAULT_GOAL := help
.PHONY: help setup build wasm image push demo up status down compose compose-down compose-test test e2e-istio e2e-matrix quota-soak lint bench fuzz quotas clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Fetch what everything else needs: the wasm target, real Envoys, wasm-opt, a registry
	@rustup target list --installed | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1
	@$(LOCAL) fetch >/dev/null
	@if [ ! -x $(WASM_OPT) ]; then \
	  if command -v npm >/dev/null; then echo "fetching wasm-opt (binaryen $(BINARYEN), once)"; npm install --silent --no-audit --no-fund --prefix .tools/binaryen-$(BINARYEN) binaryen@$(BINARYEN); \
	  else echo "npm is missing: the module stays as the compiler made it (larger, a little slower)"; fi; fi
	@if [ ! -x $(REGISTRY) ] && command -v apt-get >/dev/null; then \
	  echo "fetching a registry for the tests of tollgate push (docker-registry, once)"; mkdir -p .tools/registry; cd .tools/registry; \
	  apt-get download -qq docker-registry 2>/dev/null || { apt-get update -qq && apt-get download -qq docker-registry; }; \
	  dpkg -x docker-registry_*.deb . && rm docker-registry_*.deb; fi

build: ## Build the `tollgate` command (release)
	cargo build --release

wasm: setup ## Build the filter: target/tollgate.wasm
	cargo build --quiet --package tollgate-filter --lib --profile filter --target wasm32-wasip1
	@mkdir -p target
	@if [ -x $(WASM_OPT) ]; then $(WASM_OPT) -O3 $(BUILT) -o $(MODULE); else cp $(BUILT) $(MODULE); fi
	@echo "$(MODULE): $$(($$(wc -c < $(MODULE)) / 1024)) KiB"

image: wasm build ## Write the filter as an OCI image, the same bytes each time: target/image
	@$(LOCAL) sbom > target/sbom.json
	@$(TARGET)/release/tollgate push --module $(MODULE) --sbom target/sbom.json --layout target/image

push: wasm build ## Push the filter as an OCI image, with its bill of materials and provenance (TO=oci://HOST/NAME:TAG)
	@test -n "$(TO)" || { echo "name a repository and a tag: make push TO=oci://HOST/NAME:TAG"; exit 1; }
	@$(LOCAL) sbom > target/sbom.json
	@$(LOCAL) provenance > target/provenance.json
	@$(TARGET)/release/tollgate push --module $(MODULE) --sbom target/sbom.json --provenance target/provenance.json $(PUSH) $(TO)

demo: wasm ## Play the scenarios in a real Envoy and print who was let through, who was not, and why
	@TOLLGATE_WASM=$(MODULE) $(LOCAL) demo

up: wasm ## Keep that gateway running and print how to ask it for things (TOLLGATE_PORT, TOLLGATE_POLICY)
	@TOLLGATE_WASM=$(MODULE) $(LOCAL) up

status: ## Tell how to reach it and what it made of the policy file
	@$(LOCAL) status

down: ## Stop it
	@$(LOCAL) down

compose: wasm ## Run the same gateway with docker compose (ENVOY_IMAGE, TOLLGATE_POLICY; again after an edit)
	@TOLLGATE_WASM=$(MODULE) $(LOCAL) compose target/compose
	$(COMPOSE) up -d

compose-down: ## Stop it
	$(COMPOSE) down

compose-test: wasm ## Run it for real, with an image made of the local Envoy
	TOLLGATE_WASM=$(MODULE) envoy-local/compose-test

test: wasm ## Run every test, those in real Envoys included
	TOLLGATE_WASM=$(MODULE) cargo test --workspace --no-fail-fast

e2e-istio: wasm ## Run the filter under a real Kubernetes API server, istiod and a registry (built once, some minutes)
	TOLLGATE_WASM=$(MODULE) tests/mesh/run

e2e-matrix: wasm ## Run the tests in every release of Envoy that the filter is known to load in
	TOLLGATE_WASM=$(MODULE) TOLLGATE_ENVOYS="1.36.4 1.37.0 1.38.2 1.39.3 1.40.0" cargo test --test gateway

quota-soak: wasm ## Race callers for quotas while policies change, with 200,000 requests for each kind of limit
	TOLLGATE_WASM=$(MODULE) TOLLGATE_QUOTA_SOAK=200000 cargo test --test gateway races:: -- --nocapture --test-threads=1

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
	cargo test --manifest-path fuzz/Cargo.toml --release --no-default-features

quotas: ## Play a million random operations on quotas against their model (TOLLGATE_QUOTAS_SEED)
	TOLLGATE_QUOTAS_TIMES=$(or $(TOLLGATE_QUOTAS_TIMES),20) cargo test --release --test quotas -- --nocapture

clean: down ## Stop the gateway and remove everything that was built or fetched
	cargo clean
	rm -rf .tools
