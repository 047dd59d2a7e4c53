#!/bin/sh
# The package as a machine meets it: a Debian of its own in a folder that is thrown away, with the real systemd, in a network of its own. Called by
# `make test-deb`; needs root.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
packages=${1:?the folder with the built package}
suite=${SUITE:-bookworm}

if [ "$(id -u)" != 0 ]; then exec sudo SUITE="$suite" "$0" "$@"; fi

package=$(find "$packages" -name 'vitrina_*.deb' | sort | tail -n 1)
[ -n "$package" ] || { echo "no package in $packages: make deb" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== lintian"
lintian --allow-root --fail-on error --tag-display-limit 0 "$package"

echo "== the next version of the package"
dpkg-deb -R "$package" "$work/next"
sed -i 's/^Version: .*/Version: 99.0.0-1/' "$work/next/DEBIAN/control"
dpkg-deb -Znone --root-owner-group -b "$work/next" "$work/next.deb" >/dev/null
rm -rf "$work/next"

echo "== a Debian ($suite)"
base=$packages/root-$suite.tar
if [ ! -s "$base" ]; then
    include=systemd,systemd-sysv,dbus,procps,init-system-helpers,ca-certificates,sqlite3
    mmdebstrap --quiet --variant=minbase --include="$include" "$suite" "$base"
fi
root=$work/root
mkdir "$root"
tar -C "$root" -xf "$base"
mkdir "$root/test"
cp "$package" "$root/test/vitrina.deb"
cp "$work/next.deb" "$root/test/next.deb"
cp "$here/inside.sh" "$root/test/"
cp "$here/inside.service" "$root/etc/systemd/system/"
ln -s ../inside.service "$root/etc/systemd/system/multi-user.target.wants/inside.service"

echo "== inside"
timeout 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --directory "$root" --boot \
    </dev/null >"$work/boot.log" 2>&1 || true
cat "$root/test/log"
if [ "$(cat "$root/test/result" 2>/dev/null)" != well ]; then
    tail -n 40 "$work/boot.log"
    echo "FAILED" >&2
    exit 1
fi
