"""Measures Vitrina beside a bare line in Rust and two scripts, all in one run: the same rows, the same database, the same sink.

Every figure is of one fresh process: wall clock, user and system time, largest resident memory. ROWS (1,000,000) is how many slots there
are, RUNS (3) how often everything is measured; medians are shown, and written to target/bench/last.md.
"""

import contextlib
import glob
import json
import os
import platform
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = int(os.environ.get("RUNS", "3"))
HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "target"
OUT = TARGET / "bench"
PYTHON = OUT / "peers/bin/python"
# Changes are spread over the table by this share.
CHANGED = 1000
# Of the cycle by change column: seconds that are measured, and rows that change in each.
SECONDS = 20
ROWS_A_SECOND = 10
# How often all keys are read where that is measured, in seconds, and how many times.
SWEEP_EVERY = 5
SWEEPS = 6
TICKS = os.sysconf("SC_CLK_TCK")


class Wrong(Exception):
    """Somebody did not do the job that was measured."""


def expect(what, got, wanted):
    if got != wanted:
        raise Wrong(f"{what}: {got}, not {wanted}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, limit=120):
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise Wrong(f"{what} did not happen within {limit} s")
        time.sleep(0.05)
    return value


class Database:
    """A private PostgreSQL that forgets: nothing is synced to disk."""

    def __init__(self, stack):
        found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
        if not found:
            raise SystemExit("PostgreSQL's server is not installed: apt-get install postgresql")
        self.programs = Path(max(found, key=lambda path: int(path.split("/")[4]))).parent
        self.port = free_port()
        folder = Path(tempfile.mkdtemp(prefix="vitrina-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        account = []
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
            account = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = folder / "data"
        init = [self.programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*account, *init, "--locale=C.UTF-8"], cwd="/", check=True, stdout=subprocess.DEVNULL)
        settings = {
            "fsync": "off",
            "autovacuum": "off",
            "shared_buffers": "512MB",
            "max_wal_size": "8GB",
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        self.command = [*account, self.programs / "postgres", "-D", data, *options]
        self.log = folder / "log"
        self.start()
        stack.callback(lambda: stop(self.server, signal.SIGQUIT))
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self):
        with open(self.log, "ab") as log:
            self.server = subprocess.Popen(self.command, cwd="/", stdout=log, stderr=log)
        ready = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_for("PostgreSQL's start", lambda: subprocess.run(ready, check=False).returncode == 0)

    def outage(self, begins):
        """Stops the server without a word to anybody, or starts it again."""
        if begins:
            stop(self.server, signal.SIGQUIT)
        else:
            self.start()

    def sql(self, text, *options):
        command = [self.programs / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", *options, self.url, "-f", "-"]
        return subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.PIPE).stdout.strip()

    def change(self, condition):
        """Changes the status of some slots; answers of how many."""
        done = self.sql(
            "UPDATE slot SET status = CASE status WHEN 'RESERVED' THEN 'AVAILABLE' ELSE 'RESERVED' END, "
            f"updated_at = now() WHERE {condition};"
        )
        return int(done.removeprefix("UPDATE "))


class Sink:
    """The receiving side."""

    def __init__(self, stack):
        self.process = subprocess.Popen([TARGET / "release/sink"], stdout=subprocess.PIPE, text=True)
        stack.callback(stop, self.process, signal.SIGKILL)
        self.address = f"127.0.0.1:{int(self.process.stdout.readline())}"
        self.url = f"http://{self.address}"

    def counts(self, feed):
        with urllib.request.urlopen(f"{self.url}/count") as answer:
            counts = json.load(answer).get(feed, {})
        return {key: counts.get(key, 0) for key in ("requests", "records", "raw_bytes", "sent_bytes", "digest")}

    def records(self, feed="slot"):
        return self.counts(feed)["records"]

    @contextlib.contextmanager
    def received(self):
        """What slots arrive within the block."""
        before, gained = self.counts("slot"), {}
        yield gained
        gained.update({key: (value - before[key]) % 2**64 for key, value in self.counts("slot").items()})


def stop(process, how):
    if process.poll() is None:
        process.send_signal(how)
    process.wait()


def measured(command):
    """Runs a command to its end; answers what it took."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Wrong(f"{command[0]} ended with {process.returncode}:\n{output}")
    # The kernel counts what this process held when it forked as the child's: the bare line, smaller than that, tells by itself.
    own = re.search(r'"rss":([0-9.]+)', output)
    rss = float(own[1]) if own else usage.ru_maxrss / 1024
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": rss}


def cpu_of(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_of(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def quiet(process):
    """Waits until a process has done next to nothing for a second; answers its processor time."""

    def rests():
        before = cpu_of(process)
        time.sleep(1)
        return process.poll() is not None or cpu_of(process) - before < 0.05

    wait_for("rest", rests)
    expect("a process that should run on ended with", process.poll(), None)
    return cpu_of(process)


class Bench:
    """One machine, one database, one sink, and what was measured."""

    def __init__(self, stack):
        self.stack = stack
        self.results = {}
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-", dir=OUT))
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.database = Database(stack)
        self.database.sql((HERE / "hospital.sql").read_text(), "-q", "-v", f"rows={ROWS}")
        self.sink = Sink(stack)
        self.digest = None

    def note(self, job, who, figures):
        self.results.setdefault((job, who), []).append(figures)
        shown = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        print(f"{job}, {who}: {shown}", file=sys.stderr, flush=True)

    def config(self, ledger, slot="", every="1h"):
        path = self.folder / "vitrina.toml"
        path.touch(mode=0o600)
        path.write_text(f"""
            [sources.mis]
            url = "{self.database.url}"
            timezone = "Asia/Yekaterinburg"
            [ledger]
            url = "sqlite:{ledger}"
            [serve]
            listen = "127.0.0.1:0"
            [daemon]
            log_level = "warn"
            [portals.fer]
            kind = "fer"
            url = "{self.sink.url}"
            username = "1.2.643.5.1.13.13.12.2.86.8902"
            password = "bench"
            batch = 1000
            in_flight = 4
            requests_per_second = 10000
            [portals.fer.feeds.slot]
            every = "{every}"
            {slot}
        """)
        return path

    def vitrina(self, verb, config):
        return [TARGET / "release/vitrina", verb, "--config", config]

    def bare(self, mode):
        return [TARGET / "release/bare", mode, f"127.0.0.1:{self.database.port}/postgres", self.sink.address]

    def load(self, who, command):
        with self.sink.received() as received:
            figures = measured(command)
        expect(f"{who} sent slots", received["records"], ROWS)
        self.digest = self.digest or received["digest"]
        expect(f"{who} sent ids that sum up to", received["digest"], self.digest)
        self.note("load", who, figures)
        return received

    def round(self, number):
        """Everything once."""
        ledger = self.folder / f"ledger-{number}.db"
        bare = self.load("bare", self.bare("load"))
        vitrina = self.load("vitrina", self.vitrina("sync", self.config(ledger)))
        expect("bytes of vitrina's slots", vitrina["raw_bytes"], bare["raw_bytes"])
        for peer in ("tuned", "usual"):
            self.load(peer, [PYTHON, HERE / f"peers/{peer}.py", self.database.url, self.sink.url])
        self.bare_rescan(number)
        self.settle(ledger)
        self.rescan(ledger, number)
        self.rescan_in_daemon(ledger, number)
        self.by_change(ledger, number)
        self.by_sweep(ledger)

    def share(self, number, step):
        """A condition for one row of CHANGED, others for each round and step."""
        return f"abs(hashtext(id::text)) % {CHANGED} = {number * 3 + step}"

    def bare_rescan(self, number):
        process = subprocess.Popen(
            self.bare("rescan"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.stack.callback(stop, process, signal.SIGKILL)
        for line in process.stdout:
            if line == "ready\n":
                break
        changed = self.database.change(self.share(number, 0))
        with self.sink.received() as received:
            output, _ = process.communicate("go\n")
            expect("bare's rescan ended with", process.returncode, 0)
        figures = json.loads(output)
        expect("the bare line's changes", received["records"], changed)
        self.note("rescan", "bare", {name: figures[name] for name in ("wall", "cpu", "rss")})

    def settle(self, ledger):
        """Lets the ledger catch up with what others were sent, then measures a pass that finds nothing to do."""
        measured(self.vitrina("sync", self.config(ledger)))
        with self.sink.received() as received:
            figures = measured(self.vitrina("sync", self.config(ledger)))
        expect("slots sent though nothing changed", received["records"], 0)
        self.note("unchanged", "vitrina", figures)

    def rescan(self, ledger, number):
        changed = self.database.change(self.share(number, 1))
        with self.sink.received() as received:
            figures = measured(self.vitrina("sync", self.config(ledger)))
        expect("vitrina's changes", received["records"], changed)
        self.note("rescan-start", "vitrina", figures)

    @contextlib.contextmanager
    def daemon(self, config):
        process = subprocess.Popen(self.vitrina("run", config))
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            expect("vitrina run ended with", process.wait(60), 0)
        finally:
            stop(process, signal.SIGKILL)

    def rescan_in_daemon(self, ledger, number):
        """A full scan of a process that runs already, as the bare line's second scan is one."""
        with self.daemon(self.config(ledger, every="15s")) as process:
            quiet(process)
            before, records = cpu_of(process), self.sink.records()
            changed = self.database.change(self.share(number, 2))
            wait_for("the next cycle", lambda: self.sink.records() == records + changed)
            figures = {"cpu": quiet(process) - before, "rss": rss_of(process)}
        expect("vitrina's changes", self.sink.records() - records, changed)
        self.note("rescan", "vitrina", figures)

    def by_change(self, ledger, number):
        """Cycles that read by change time, once a second."""
        # The overlap of a read takes in what changed shortly before the newest change: here that is one row.
        self.database.sql(
            "UPDATE slot SET updated_at = now() - interval '1 day' WHERE updated_at > now() - interval '1 hour';"
            "UPDATE slot SET updated_at = now() WHERE id = (SELECT id FROM slot LIMIT 1);"
        )
        ids = self.database.sql(
            f"SELECT id FROM slot ORDER BY hashtext(id::text || '{number}') LIMIT {SECONDS * ROWS_A_SECOND}"
        ).split()
        slot = 'changed_at = "updated_at"\nsweep_every = "59m"'
        with self.daemon(self.config(ledger, slot=slot, every="1s")) as process:
            quiet(process)
            self.note("idle", "vitrina", {"cpu": self.seconds(process, [])})
            records = self.sink.records()
            self.note("by change", "vitrina", {"cpu": self.seconds(process, ids), "rss": rss_of(process)})
            wait_for("the last change", lambda: self.sink.records() - records >= len(ids))
        expect("changes read by change time", self.sink.records() - records, len(ids))

    def by_sweep(self, ledger):
        """Reads of all keys, beside cycles that find nothing to do."""
        slot = f'changed_at = "updated_at"\nsweep_every = "{SWEEP_EVERY}s"'
        with self.daemon(self.config(ledger, slot=slot, every="1s")) as process:
            time.sleep(2 * SWEEP_EVERY)
            before = cpu_of(process)
            time.sleep(SWEEPS * SWEEP_EVERY)
            spent = cpu_of(process) - before
        idle = self.results[("idle", "vitrina")][-1]["cpu"]
        self.note("sweep", "vitrina", {"cpu": spent / SWEEPS - idle * SWEEP_EVERY})

    def seconds(self, process, ids):
        """Processor time per second while some rows change in each."""
        before, start = cpu_of(process), time.monotonic()
        for second in range(SECONDS):
            some = ids[second * ROWS_A_SECOND :][:ROWS_A_SECOND]
            if some:
                self.database.change("id IN ({})".format(", ".join(f"'{one}'" for one in some)))
            time.sleep(max(0, start + second + 1 - time.monotonic()))
        return (cpu_of(process) - before) / SECONDS

    def median(self, job, who, name):
        values = [figures[name] for figures in self.results.get((job, who), []) if name in figures]
        return statistics.median(values) if values else None


ROWS_OF_TABLE = [
    ("first load", "load", "bare", "load"),
    ("first load", "load", "vitrina", "load"),
    ("first load", "load", "tuned", "load"),
    ("first load", "load", "usual", "load"),
    ("full scan, 0.1 % changed", "rescan", "bare", "rescan"),
    ("full scan, 0.1 % changed, in the daemon", "rescan", "vitrina", "rescan"),
    ("the same by `vitrina sync`, its start included", "rescan-start", "vitrina", "rescan"),
    ("nothing changed, by `vitrina sync`", "unchanged", "vitrina", "rescan"),
    (f"a cycle by change column, {ROWS_A_SECOND} rows changed", "by change", "vitrina", None),
    ("a cycle by change column, none changed", "idle", "vitrina", None),
    ("a sweep of all keys, beside that cycle", "sweep", "vitrina", None),
]
NAMES = {
    "bare": "bare line",
    "vitrina": "vitrina",
    "tuned": "asyncpg, aiohttp, orjson",
    "usual": "psycopg2, requests, json",
}


def table(bench):
    lines = [
        f"{ROWS:,} slots, batches of 1,000, 4 in flight, gzip 1; {os.cpu_count()} cores, {platform.machine()}; medians of {RUNS}.",
        "",
        "| job | who | wall, s | CPU, s | memory, MB | wall : bare | CPU : bare |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for title, job, who, against in ROWS_OF_TABLE:
        figures = {name: bench.median(job, who, name) for name in ("wall", "cpu", "rss")}
        cells = [shown(figures["wall"], 2), shown(figures["cpu"], 2 if against else 4), shown(figures["rss"], 0)]
        for name in ("wall", "cpu"):
            bare = bench.median(against, "bare", name) if against else None
            cells.append(shown(figures[name] / bare, 2) if bare and figures[name] else "")
        lines.append(f"| {title} | {NAMES[who]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def shown(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    OUT.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        bench = Bench(stack)
        for number in range(RUNS):
            bench.round(number)
        text = table(bench)
    (OUT / "last.md").write_text(text)
    print(text)


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"bench: {wrong}")
