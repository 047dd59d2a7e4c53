#!/bin/sh
# Installs what a make target needs and the machine lacks, from Debian's packages. Does nothing when all is there.
set -eu

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=""
need() { # need PACKAGE COMMAND-OR-FILE…: the package, unless one of these is there
    package=$1
    shift
    for thing in "$@"; do
        if command -v "$thing" >/dev/null 2>&1 || [ -e "$thing" ]; then return; fi
    done
    missing="$missing $package"
}

databases() {
    need postgresql /usr/lib/postgresql/*/bin/initdb
    need tzdata /usr/share/zoneinfo/Europe/Moscow
    need pgbouncer /usr/sbin/pgbouncer
    need mariadb-server mariadbd /usr/sbin/mariadbd
}

# A web server and a tunnel with Russian cipher suites, and what looks at the tunnel's unit.
gost() {
    need openssl openssl
    need libengine-gost-openssl /usr/lib/*/engines-3/gost.so
    need stunnel4 stunnel4
    need nginx-light nginx /usr/sbin/nginx
    need systemd systemd-analyze
}

need gcc cc
case "${1:?which target}" in
demo) ;;
test)
    databases
    gost
    # The page is looked at in a real browser.
    need chromium chromium
    need chromium-driver chromedriver
    # The languages of the documentation's examples.
    need python3 python3
    need nodejs node
    need php-cli php
    # How systemd rates and reads the unit.
    need systemd systemd-analyze
    # Checks and tests the alert rules.
    need prometheus promtool
    ;;
deb)
    command -v cargo-deb >/dev/null 2>&1 || cargo install --locked cargo-deb
    need dpkg-dev dpkg-shlibdeps
    ;;
test-deb)
    need lintian lintian
    need mmdebstrap mmdebstrap
    need systemd-container systemd-nspawn
    ;;
gost) gost ;;
lint)
    command -v cargo-deny >/dev/null 2>&1 || cargo install --locked cargo-deny
    ;;
fuzz)
    need g++ c++
    command -v cargo-fuzz >/dev/null 2>&1 || cargo install --locked cargo-fuzz
    ;;
bench)
    databases
    need python3-venv /usr/share/doc/python3-venv
    ;;
*)
    echo "tests/tools.sh: unknown target $1" >&2
    exit 2
    ;;
esac

if [ -n "$missing" ]; then
    echo "installing:$missing" >&2
    as_root apt-get update -qq
    # The servers are only used as private ones by tests; none is to be started for the machine.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing
fi
