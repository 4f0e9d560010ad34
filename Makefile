# Everything that is done with this repository by command. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Guests must not be built with the flags of the host build, nor into its folder.
unexport RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
export INSTA_UPDATE := no
export SEED SECONDS

# Many tests wait for processes and timers: one more than there are cores keeps the cores at work.
NEXTEST_TEST_THREADS ?= $(shell echo $$(($$(nproc) + 1)))
RUST_TEST_THREADS ?= $(NEXTEST_TEST_THREADS)
export NEXTEST_TEST_THREADS RUST_TEST_THREADS

# nextest runs each test in a process of its own; without it cargo's own runner does.
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)

.PHONY: help setup plugins build demo test checked sim soak lint deny bench clean

help: ## Lists the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

setup: ## Installs what building and testing need, and asks each tool something: a few minutes the first time
	@tests/setup

plugins: ## Builds the plugins into plugins/dist
	@plugins/build

build: ## Builds the engine
	@tests/setup compilers
	@cargo build --workspace

demo: ## Breaks a real VM and watches Runwright bring it back, twice; makes only what that needs
	@tests/lab/prepare
	@tests/lab/demo

test: ## Runs everything: lints, the tests of all crates, the lab with real VMs
	@tests/setup compilers
	@tests/setup & tools=$$!; $(MAKE) --no-print-directory checked; checked=$$?; wait $$tools && exit $$checked
	@trap '$(CURDIR)/tests/lab/sweep' EXIT; \
	  if [ "$(NEXTEST)" = yes ]; then cargo nextest run --workspace; else cargo test --workspace --lib --bins --tests; fi

# What needs no tool but the compilers: it is done while the others are installed.
checked: plugins lint
	@cd plugins && cargo test --quiet --target "$$(rustc -vV | sed -n 's/^host: //p')"
	@cargo test --workspace --doc --quiet

sim: ## Simulates a thousand histories of the driver; SEED=n repeats one and prints it
	@cargo test --quiet --workspace --test sim -- --nocapture

soak: ## Simulates failures for SECONDS=60; stops at the first broken promise and says how to repeat it
	@tests/soak

lint: ## Checks the format, clippy and, where cargo-deny is installed, licences and bans
	@cargo fmt --all --check && (cd plugins && cargo fmt --all --check)
	@cargo clippy --workspace --all-targets --quiet -- -D warnings
	@(cd plugins && cargo clippy --workspace --quiet -- -D warnings)
	@if cargo deny --version >/dev/null 2>&1; then $(MAKE) --no-print-directory deny; else echo 'cargo-deny is not installed: `cargo install cargo-deny` and `make deny` check licences and advisories'; fi

deny: ## Checks licences, sources and bans; advisories too where their database can be fetched
	@cargo deny --all-features check bans licenses sources
	@cargo deny --all-features check advisories || [ "$$CI" != true ]

bench: plugins ## Measures, in release, beside the floors of the same machine
	@cargo bench --workspace --bench engine

clean: ## Removes what was built, also the lab's guests
	@tests/lab/sweep && tests/tools --remove && cargo clean && rm -rf plugins/target plugins/dist
