#!/bin/sh
# Makes what the package holds beside the program: manual pages and completions, by the program itself, and what other programs load. Called by
# `make deb` in the source folder.
set -eu

program=${1:?the built program}
folder=${2:?the folder to write into}

rm -rf "$folder"
mkdir -p "$folder/man" "$folder/completions" "$folder/share"
"$program" man "$folder/man"
gzip -9n "$folder"/man/*.1
"$program" completions bash >"$folder/completions/vitrina"
"$program" completions zsh >"$folder/completions/_vitrina"
"$program" completions fish >"$folder/completions/vitrina.fish"

for loaded in dashboards deploy/*/; do
    case $loaded in
    deploy/debian/ | deploy/systemd/ | deploy/mis/) ;;
    *) cp -R "$loaded" "$folder/share/" ;;
    esac
done
