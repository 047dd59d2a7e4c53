#!/bin/sh
# Builds what is measured and what it is measured against, then measures: run.py, or what BENCH names (bookings).
set -eu
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
$cargo build --release --locked --package vitrina --package vitrina-bench

peers=target/bench/peers
mkdir -p target/bench
[ -x $peers/bin/pip ] || python3 -m venv $peers
$peers/bin/pip install --quiet --disable-pip-version-check --requirement benches/peers/requirements.txt

exec python3 benches/${BENCH:-run}.py
