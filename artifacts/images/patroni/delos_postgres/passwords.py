"""By which passwords members sign in to each other, while these are rotated."""

import json
import os
import subprocess
import urllib.request

from .settings import RUN, accepted, settings
from .start import write

SECONDS = 5
REFUSED = "password authentication failed"


def changed(port: int) -> bool:
    """Lets the settings of Patroni have the passwords that the primary takes now. Says whether they are others.

    A role has one password at a time, so where there are several the primary is asked. Where it cannot be asked, all stays.
    """
    given = settings()
    file = RUN / "patroni.yml"
    before = file.read_text()
    used = json.loads(before)["postgresql"]["authentication"]
    chosen = {}
    for kind, role in given["roles"].items():
        values = accepted(role)
        now = used[kind]["password"]
        if len(values) > 1:
            # The one that is used is asked for first: it stays while it is good.
            values = sorted(values, key=lambda value: value != now)
        chosen[role] = values[0] if len(values) == 1 else taken(port, kind, role, values) or now
    write(given, chosen)
    return file.read_text() != before


def taken(port: int, kind: str, role: str, values: list[str]) -> str | None:
    """The first of the values that the primary lets this role in with."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/cluster", timeout=SECONDS) as answer:
            members = json.load(answer)["members"]
    except (OSError, ValueError, KeyError):
        return None
    primary = next((member for member in members if member.get("role") == "leader" and "host" in member), None)
    if primary is None:
        return None
    replication = kind == "replication"
    way = f"host={primary['host']} port={primary['port']} user={role} connect_timeout={SECONDS} "
    way += "replication=true" if replication else "dbname=postgres"
    for value in values:
        env = {**os.environ, "PGPASSWORD": value, "PGPASSFILE": os.devnull}
        asked = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", f"--dbname={way}"]
        asked.append(f"--command={'IDENTIFY_SYSTEM' if replication else 'select 1'}")
        try:
            result = subprocess.run(asked, env=env, capture_output=True, text=True, timeout=4 * SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return None
        if result.returncode == 0:
            return value
        if REFUSED not in result.stderr:
            return None
    return None
