#!/bin/sh
# What an administrator does with the package, on a machine where systemd runs. Every step says what it holds; the first that fails ends it.
set -eu

# However it ends, the machine goes off.
trap 'systemctl --force poweroff' EXIT

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
config=/etc/vitrina/vitrina.toml

step() { echo "-- $*"; }

fail() {
    echo "FAILED: $*"
    systemctl status vitrina --no-pager || true
    journalctl -u vitrina --no-pager -n 30 || true
    exit 1
}

# is WANTED COMMAND…: the command prints this.
is() {
    wanted=$1
    shift
    got=$("$@" 2>/dev/null || true)
    [ "$got" = "$wanted" ] || fail "$*: '$got' instead of '$wanted'"
}

# comes COMMAND…: it succeeds before long.
comes() {
    for _ in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    fail "never: $*"
}

property() { systemctl show vitrina --property "$1" --value; }

write() { # write BATCH: a configuration for the mock
    cat >"$config" <<END
[sources.mis]
url = "sqlite:/srv/mis.db"
timezone = "Asia/Yekaterinburg"
[ledger]
url = "sqlite:/var/lib/vitrina/ledger.db"
[portals.fer]
kind = "fer"
url = "http://127.0.0.1:2100"
username = "1.2.643.5.1.13.13.12.2.86.8902"
password_file = "fer-password"
batch = $1
[portals.fer.feeds.mo]
every = "1s"
[portals.sout]
kind = "sout"
url = "http://127.0.0.1:2101"
api_key_file = "sout-key"
sign_command = ["/test/sign.sh"]
[portals.sout.feeds.training]
every = "1s"
END
}

accepted() { vitrina status --json | grep -Eq '"accepted": ?1\b'; }

signed() { grep -q "$(property MainPID)" /var/lib/vitrina/signed; }

step "a new installation starts nothing and asks for nothing"
dpkg -i /test/vitrina.deb
is disabled systemctl is-enabled vitrina
is inactive systemctl is-active vitrina
is "root:vitrina 640" stat -c '%U:%G %a' "$config"
is "root:root 700" stat -c '%U:%G %a' /etc/vitrina/secrets
is "vitrina:vitrina 700" stat -c '%U:%G %a' /var/lib/vitrina
is /usr/sbin/nologin sh -c "getent passwd vitrina | cut -d: -f7"
for file in /usr/share/man/man1/vitrina.1.gz /usr/share/man/man1/vitrina-run.1.gz /usr/share/bash-completion/completions/vitrina \
    /usr/share/doc/vitrina/docs/ru/operations.md /usr/share/doc/vitrina/config.example.toml; do
    # This Debian leaves documentation out, as small ones do.
    dpkg -L vitrina | grep -qx "$file" || fail "the package lacks $file"
done

step "what is not filled in is not started, and check says what is missing"
if vitrina check --offline >/test/check 2>&1; then fail "the empty configuration passes"; fi
grep -q "portals: is missing" /test/check || fail "$(cat /test/check)"

step "a first pass by root leaves a ledger that the service can open"
sqlite3 /srv/mis.db "CREATE TABLE vitrina_fer_mo (id TEXT, parent_id TEXT, branch_oid TEXT, name TEXT, address TEXT,
    address_fias_guid TEXT, phone TEXT, enabled TEXT, tag_age TEXT, create_ts TEXT);
    INSERT INTO vitrina_fer_mo VALUES ('11111111-1111-4111-8111-111111111111', '1.2.643.5.1.13.13.12.2.86.8902', '1.2.643.5.1.13.13.12.2.86.8902.0.1',
    'Поликлиника', 'Ханты-Мансийск, Мира 1', '22222222-2222-4222-8222-222222222222', '+7 (3467) 000-000', 'ALL', 'ALL', '2026-01-01 10:00:00')"
sqlite3 /srv/mis.db "CREATE VIEW vitrina_sout_training AS SELECT 'a-1' AS outer_id, 'Секретова' AS last_name, 'Анна' AS first_name,
    '11223344595' AS snils, 'врач' AS position, '7707083893' AS employer_inn, 'ООО' AS employer_title, '7707083893' AS organization_inn,
    'УЦ' AS organization_title, '2026-10-02' AS test_date, '17/2' AS protocol_number, 4 AS learn_program_id, 1 AS is_passed"
chmod 644 /srv/mis.db
cat >/test/sign.sh <<'END'
#!/bin/sh
# A site's signer: it begins like a signature, and notes who asked for it.
printf 'MAMCAQE=' >"$1.sig" && echo "$PPID" >>/var/lib/vitrina/signed
END
chmod 755 /test /test/sign.sh
systemd-run --quiet --unit mock vitrina mock --listen 127.0.0.1:2100
write 500
is "root:vitrina 640" stat -c '%U:%G %a' "$config"
(umask 077 && echo demo >/etc/vitrina/secrets/fer-password && echo demo >/etc/vitrina/secrets/sout-key)
comes vitrina check
vitrina sync fer || fail "the first pass: $?"
is vitrina stat -c %U /var/lib/vitrina/ledger.db

step "the service starts, with secrets that root alone can read, feeds the portals and runs the site's signer"
systemctl enable --now vitrina
is active systemctl is-active vitrina
comes accepted
is vitrina sh -c "ps -o user= -p $(property MainPID)"
is "Feeding fer, sout" property StatusText
comes signed
is notify property Type
is 65536 property LimitNOFILE
systemd-analyze security --no-pager --threshold=20 vitrina >/test/rating || fail "$(tail -n 1 /test/rating)"
tail -n 1 /test/rating

step "a reload takes up what is right and refuses what is wrong"
pid=$(property MainPID)
write 400
systemctl reload vitrina || fail "the reload"
comes sh -c "journalctl -u vitrina --no-pager | grep -q 'opened=.*fer'"
write many
if systemctl reload vitrina 2>/dev/null; then fail "a wrong configuration is taken up"; fi
is active systemctl is-active vitrina
is "$pid" property MainPID

step "an upgrade that the configuration does not fit leaves the service as it runs, and says so"
dpkg -i /test/next.deb >/test/upgrade 2>&1
grep -q "finds mistakes in $config" /test/upgrade || fail "$(cat /test/upgrade)"
is "$pid" property MainPID

step "an upgrade restarts the service and leaves the configuration alone"
write 300
dpkg -i /test/next.deb
is active systemctl is-active vitrina
[ "$(property MainPID)" != "$pid" ] || fail "the old program still runs"
grep -q "batch = 300" "$config" || fail "the configuration was touched"
is "root:vitrina 640" stat -c '%U:%G %a' "$config"
comes accepted

step "the watchdog restarts a process that stands still"
mkdir -p /run/systemd/system/vitrina.service.d
printf '[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\nRestartSec=100ms\n' >/run/systemd/system/vitrina.service.d/quick.conf
systemctl daemon-reload
systemctl restart vitrina
is active systemctl is-active vitrina
pid=$(property MainPID)
sleep 3
is "$pid" property MainPID
kill -STOP "$pid"
comes sh -c "[ \"\$(systemctl show vitrina --property NRestarts --value)\" = 1 ]"
comes systemctl is-active vitrina
is "" find /var/lib/systemd/coredump -name '*vitrina*'

step "a removal stops the service and keeps what is the hospital's"
dpkg -r vitrina
is inactive systemctl is-active vitrina
[ ! -e /usr/bin/vitrina ] || fail "the program is still there"
for file in "$config" /etc/vitrina/secrets/fer-password /var/lib/vitrina/ledger.db; do
    [ -e "$file" ] || fail "$file is gone"
done

step "an installation after it goes on where it was"
dpkg -i /test/vitrina.deb
is enabled systemctl is-enabled vitrina
is "root:vitrina 640" stat -c '%U:%G %a' "$config"
grep -q "batch = 300" "$config" || fail "the configuration is another one"
systemctl start vitrina
comes accepted

step "a purge deletes everything but the user"
dpkg -P vitrina
systemctl stop mock
left=$(find / -xdev -name '*vitrina*' -not -path '/proc/*' -not -path '/sys/*' -not -path '/test/*' -not -path '/run/*' \
    -not -path '/var/lib/dpkg/*' -not -path '/var/log/*')
[ -z "$left" ] || fail "left behind: $left"
getent passwd vitrina >/dev/null || fail "the user is gone"

echo well >/test/result
