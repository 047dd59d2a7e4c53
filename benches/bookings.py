"""Loads the answering side as the gateway would: bookings at a steady rate, whatever the answers take.

RATE (200) requests a second for SECONDS (60), against PostgreSQL with the reference of deploy/mis. With OUTAGE=1 the database is stopped after a
third of the time and started again after two thirds. Every answer is read; what took how long, and what was answered, is printed.
"""

import asyncio
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
import uuid
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEER = HERE.parent / "target/bench/peers/bin/python"
if Path(sys.prefix) != PEER.parent.parent:
    os.execv(PEER, [PEER, __file__, *sys.argv[1:]])

import aiohttp

from run import TARGET, Database, Wrong, expect, free_port, stop, wait_for

RATE = int(os.environ.get("RATE", "200"))
SECONDS = int(os.environ.get("SECONDS", "60"))
OUTAGE = os.environ.get("OUTAGE") == "1"
SLOTS = RATE * SECONDS
# The gateway waits so long.
DEADLINE = 10

FILL = f"""
INSERT INTO vitrina_mis.resource SELECT gen_random_uuid(), 's' || n FROM generate_series(1, 200) n;
INSERT INTO vitrina_mis.slot (id, mo_id, resource_id, tag_type, tag_age, visit_time, duration)
SELECT lpad(to_hex(n), 32, '0')::uuid, gen_random_uuid(), (SELECT id FROM vitrina_mis.resource OFFSET n % 200 LIMIT 1),
       'EPGU', 'ALL', date_trunc('hour', now()) + interval '1 day' + n / 200 * interval '15 minutes', 15
FROM generate_series(1, {SLOTS}) n;
INSERT INTO vitrina_mis.patient (id, rrp_id, birth_date) SELECT 'm-' || n, 'p-' || n, '1980-01-01' FROM generate_series(1, {SLOTS}) n;
"""


def booking_lines():
    """The lines that the head of the reference gives, as they stand there."""
    text = (HERE.parent / "deploy/mis/postgres.sql").read_text()
    lines = [line.removeprefix("--     ") for line in text.splitlines() if line.startswith("--     ")]
    lines = lines[lines.index("[booking]") :]
    return "\n".join(line for line in lines if line == "[booking]" or " = " in line)


def request(number):
    return {"slot_id": str(uuid.UUID(int=number)), "patient_id": f"p-{number}", "booking_type": "APPOINTMENT", "case_number": f"c-{number}"}


class Load:
    def __init__(self, url):
        self.url = url
        self.took, self.codes = [], collections.Counter()

    async def one(self, session, number):
        began = time.monotonic()
        try:
            async with session.post(f"{self.url}/booking/book", json=request(number)) as answer:
                status = json.loads(await answer.text())["status"]
                code = f"{answer.status}/{status['status_code']}"
        except (aiohttp.ClientError, asyncio.TimeoutError, KeyError, ValueError) as error:
            code = type(error).__name__
        self.codes[code] += 1
        self.took.append(time.monotonic() - began)

    async def run(self, outage):
        limit = aiohttp.ClientTimeout(total=DEADLINE + 5)
        async with aiohttp.ClientSession(timeout=limit, connector=aiohttp.TCPConnector(limit=0)) as session:
            began, tasks = time.monotonic(), []
            for number in range(SLOTS):
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
                if outage and number in (SLOTS // 3, SLOTS * 2 // 3):
                    await asyncio.to_thread(outage, number == SLOTS // 3)
                tasks.append(asyncio.create_task(self.one(session, number + 1)))
            await asyncio.gather(*tasks)

    def late(self):
        return sum(took > DEADLINE for took in self.took)

    def told(self):
        took = sorted(self.took)
        at = lambda share: f"{took[min(len(took) - 1, int(len(took) * share))] * 1000:.1f} ms"
        return f"{len(took)} answers: p50 {at(0.5)}, p99 {at(0.99)}, longest {at(1)}; {dict(self.codes)}; beyond {DEADLINE} s: {self.late()}"


def main():
    with ExitStack() as stack:
        database = Database(stack)
        database.sql((HERE.parent / "deploy/mis/postgres.sql").read_text())
        database.sql(FILL)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vitrina-bench-")))
        port = free_port()
        lines = booking_lines()
        tomllib.loads(lines)
        config = folder / "vitrina.toml"
        config.write_text(
            f'[sources.mis]\nurl = "{database.url.replace("postgresql:", "postgres:")}"\n[ledger]\nurl = "sqlite:{folder}/ledger.db"\n'
            f'[serve]\nlisten = "127.0.0.1:0"\n{lines}\nlisten = "127.0.0.1:{port}"\nallow = ["127.0.0.1"]\nconnections = 4096\n'
            f'[portals.fer]\nkind = "fer"\nurl = "http://127.0.0.1:1"\nusername = "1.2.3"\npassword = "nobody is there"\n'
        )
        config.chmod(0o600)
        log = open(folder / "log", "w")
        daemon = subprocess.Popen([TARGET / "release/vitrina", "run", "--config", config], stderr=log)
        stack.callback(stop, daemon, signal.SIGTERM)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for("the listener", lambda: answers(url), limit=20)
        except Wrong:
            print((folder / "log").read_text())
            raise
        load = Load(url)
        asyncio.run(load.run(database.outage if OUTAGE else None))
        print(load.told())
        expect("answers beyond the gateway's patience", load.late(), 0)
        expect("answers", sum(load.codes.values()), SLOTS)
        booked = int(database.sql("SELECT count(*) FROM vitrina_mis.booking WHERE status_code = 5000;"))
        expect("bookings in the database", booked, load.codes["200/0"])
        if not OUTAGE:
            expect("bookings", load.codes, {"200/0": SLOTS})
        else:
            expect("codes", set(load.codes), {"200/0", "200/18"})


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/booking/book") as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


main()
