# What there is to type. `make demo` and `make test` need Rust, make and Debian's apt; each installs what it still lacks.

CARGO ?= cargo
.PHONY: demo test lint bench bench-bookings fuzz simulation soak drill-gost advisories deb test-deb

demo:
	tests/tools.sh demo
	$(CARGO) build --profile demo --locked
	target/demo/vitrina demo

test:
	tests/tools.sh test
	$(CARGO) test --locked

lint:
	tests/tools.sh lint
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items
	$(CARGO) deny check bans licenses sources

# The package for Debian 12 and newer: target/debian/vitrina_*.deb.
deb:
	tests/tools.sh deb
	$(CARGO) build --release --locked
	deploy/debian/prepare.sh target/release/vitrina target/package
	$(CARGO) deb --no-build --locked

# The package as a machine meets it: installed, upgraded, removed and purged in roots that are thrown away; and what lintian says of it.
test-deb: deb
	tests/tools.sh test-deb
	tests/package/run.sh target/debian

# Known holes in what we depend on: needs the network, so not a part of `make lint`. For CI, daily, and before a package is built.
advisories:
	tests/tools.sh lint
	$(CARGO) deny check advisories

fuzz:
	tests/tools.sh fuzz
	fuzz/run.sh $(or $(SECONDS),60)

bench:
	tests/tools.sh bench
	benches/run.sh

# Bookings at 200 a second for a minute; OUTAGE=1 stops the database in the middle.
bench-bookings:
	tests/tools.sh bench
	BENCH=bookings benches/run.sh

# The engine under everything that one seed can do to it: `make simulation SEED=…` for one, SECONDS=… for fresh ones.
simulation:
	$(CARGO) test --locked --test simulation

# Fresh seeds for the simulation and then a long storm, each for so long: `make soak SECONDS=600`. SEED=… repeats the storm's dice of an
# earlier one.
soak:
	tests/tools.sh test
	env -u SEED SECONDS=$(or $(SECONDS),600) $(CARGO) test --locked --test simulation whatever -- --nocapture
	STORM_SECONDS=$(or $(SECONDS),600) $(CARGO) test --locked --test it storm::weather -- --nocapture

# A hospital through the tunnel of deploy/gost: makes GOST keys, starts a portal that speaks one Russian suite after the other and wants a
# certificate, and feeds it by the daemon; then all that must be refused. `make test` runs the same.
drill-gost:
	tests/tools.sh gost
	$(CARGO) test --locked --test it gost:: -- --nocapture
