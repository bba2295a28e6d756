"""Asks the rules of Sigma in a folder of events, one JSON object a line: what each of them finds, as JSON. A rule that is not valid is a
fault."""

import json
import pathlib
import sqlite3
import sys

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

COLUMNS = ["event", "code", "reason", "status", "rule"]


def main():
    events = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    base = sqlite3.connect(":memory:")
    base.execute(f"CREATE TABLE logs (at INTEGER, {', '.join(COLUMNS)})")
    for at, event in enumerate(events):
        base.execute(f"INSERT INTO logs VALUES (?{', ?' * len(COLUMNS)})", [at, *(event.get(name) for name in COLUMNS)])
    found = {}
    for file in sorted(pathlib.Path(sys.argv[2]).glob("*.yml")):
        rules = SigmaCollection.from_yaml(file.read_text(encoding="utf-8"), collect_errors=False)
        (query,) = sqliteBackend().convert(rules)
        rows = base.execute(query.replace("SELECT *", "SELECT at", 1))
        found[file.name] = [events[at] for (at,) in rows]
    print(json.dumps(found))


main()
