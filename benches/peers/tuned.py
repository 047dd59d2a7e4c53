"""A first load by someone who knows which Python is fast: asyncpg's cursor, orjson, isal's gzip in threads, aiohttp with four requests
in flight, uvloop. Identifiers leave the database as text, which costs less than UUID objects.

usage: tuned.py postgresql://… http://…
"""

import asyncio
import sys

import aiohttp
import asyncpg
import orjson
import uvloop
from isal import igzip

BATCH = 1000
IN_FLIGHT = 4
QUERY = """
    SELECT id::text, mo_id::text, resource_id::text, tag_type, tag_age, visit_time, duration, status, create_ts
    FROM vitrina_fer_slot
"""
WHOLE_SECONDS = orjson.OPT_OMIT_MICROSECONDS


def pack(rows):
    body = orjson.dumps({"data": [dict(row) for row in rows]}, option=WHOLE_SECONDS)
    return igzip.compress(body, compresslevel=1)


async def deliver(session, batches):
    while rows := await batches.get():
        body = await asyncio.to_thread(pack, rows)
        async with session.post("/api/slot", data=body) as answer:
            answer.raise_for_status()
            reply = orjson.loads(await answer.read())
        if len(reply["sendedGuids"]) != len(rows):
            raise SystemExit(f"not all of a batch was taken: {reply['errors']}")


async def read(database, batches):
    connection = await asyncpg.connect(database)
    async with connection.transaction():
        cursor = await connection.cursor(QUERY)
        while rows := await cursor.fetch(BATCH):
            await batches.put(rows)
    for _ in range(IN_FLIGHT):
        await batches.put(None)
    await connection.close()


async def main(database, gateway):
    async with aiohttp.ClientSession(gateway) as session:
        async with session.post("/auth.svc", json={"username": "bench", "password": "bench"}) as answer:
            token = (await answer.json())["result"]["value"]
    headers = {
        "Authorization": f"bearer {token}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    batches = asyncio.Queue(maxsize=2)
    async with aiohttp.ClientSession(gateway, headers=headers) as session, asyncio.TaskGroup() as tasks:
        tasks.create_task(read(database, batches))
        for _ in range(IN_FLIGHT):
            tasks.create_task(deliver(session, batches))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
