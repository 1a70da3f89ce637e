"""Where a member finds what it is made of."""

import json
import os
from pathlib import Path

DATA = Path(os.environ.get("PGDATA", "/var/lib/postgresql/data/pgdata"))
#: Scripts and settings, the same for every member.
FILES = Path(os.environ.get("DELOS_FILES", "/etc/postgres"))
#: One folder for each role, with the file `password`.
PASSWORDS = Path(os.environ.get("DELOS_PASSWORDS", "/run/passwords"))
#: In memory: what holds passwords.
RUN = Path(os.environ.get("DELOS_RUN", "/run/patroni"))


def settings() -> dict:
    return json.loads((FILES / "patroni.json").read_text())


def password(role: str) -> str:
    return (PASSWORDS / role / "password").read_text().rstrip("\n")
