#!/bin/sh
# Runs every fuzz target, or those that are named, for so many seconds each: fuzz/run.sh SECONDS [TARGET…].
# New finds gather in fuzz/work; what breaks a promise is left in fuzz/artifacts and ends the run.
set -eu

seconds=${1:?how many seconds}
shift
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- $(cargo fuzz list --fuzz-dir .)

# Without a sanitizer the stable compiler will do; the code under test is safe Rust, and its promises are asserted.
cargo fuzz build --fuzz-dir . --sanitizer none
for target; do
    case $target in
    fer_* | nmo_* | platform | sout_programs) words=answers ;;
    sout_*) words=xml ;;
    *) words=values ;;
    esac
    mkdir -p "work/$target"
    cargo fuzz run --fuzz-dir . --sanitizer none "$target" "work/$target" "corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -dict="dictionaries/$words.dict" \
        -print_final_stats=1
done
