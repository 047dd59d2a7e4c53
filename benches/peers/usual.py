"""A first load as such scripts are usually written: psycopg2 with a server-side cursor, json, gzip, requests; one batch after another.

usage: usual.py postgresql://… http://…
"""

import gzip
import json
import sys

import psycopg2
import psycopg2.extras
import requests

BATCH = 1000
QUERY = """
    SELECT id, mo_id, resource_id, tag_type, tag_age, visit_time, duration, status, create_ts FROM vitrina_fer_slot
"""


def encode(row):
    for field in ("visit_time", "create_ts"):
        row[field] = row[field].strftime("%Y-%m-%dT%H:%M:%S")
    return row


def main(database, gateway):
    session = requests.Session()
    answer = session.post(f"{gateway}/auth.svc", json={"username": "bench", "password": "bench"}, timeout=30)
    session.headers["Authorization"] = "bearer " + answer.json()["result"]["value"]
    session.headers.update({"Content-Type": "application/json", "Content-Encoding": "gzip"})
    with psycopg2.connect(database) as connection:
        cursor = connection.cursor("slots", cursor_factory=psycopg2.extras.RealDictCursor)
        cursor.itersize = BATCH
        cursor.execute(QUERY)
        while rows := cursor.fetchmany(BATCH):
            body = json.dumps({"data": [encode(row) for row in rows]}).encode()
            answer = session.post(f"{gateway}/api/slot", data=gzip.compress(body, 1), timeout=30)
            answer.raise_for_status()
            reply = answer.json()
            if len(reply["sendedGuids"]) != len(rows):
                raise SystemExit(f"not all of a batch was taken: {reply['errors']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
