# The commands of this project. `make help` lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help demo demo-clean test test-long fuzz bench lint docs licences advisories release

help: ## what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

release: ## build target/release/dta
	@scripts/prerequisites.sh
	cargo build --release --locked

demo: release ## two D-TAs on loopback, from ceremony to login (ONCE=1: do it and leave)
	@ONCE='$(ONCE)' scripts/demo.sh

demo-clean: ## stop the demo and remove all it made
	@scripts/demo.sh clean

test: ## every test, and target/release/dta
	@scripts/prerequisites.sh tests
	cargo build --release --locked
	cargo test --workspace --locked --no-fail-fast

test-long: ## the same with the long counts (1,000 and more of everything)
	@scripts/prerequisites.sh tests
	cargo build --release --locked
	DTA_TEST_LONG=1 cargo test --workspace --locked --no-fail-fast

fuzz: ## every parser of outside bytes for 10 seconds each (SECONDS=60: longer)
	@scripts/fuzz.sh $(or $(SECONDS),10)

bench: ## what the issuing path costs, as ratios within one run
	@scripts/prerequisites.sh
	cargo bench --workspace --locked

lint: ## formatting, clippy and shell scripts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

docs: ## the API documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

licences: ## licences, sources and duplicates of all dependencies
	@scripts/ci-tools.sh
	cargo deny --locked check bans licenses sources

advisories: ## RustSec advisories
	@scripts/ci-tools.sh
	@scripts/advisories.sh
