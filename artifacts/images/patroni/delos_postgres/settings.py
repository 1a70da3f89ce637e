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


#: As whom members ask each other over HTTP.
MEMBERS_USER = "patroni"


def settings() -> dict:
    return json.loads((FILES / "patroni.json").read_text())


def password(role: str) -> str:
    return (PASSWORDS / role / "password").read_text().rstrip("\n")


def accepted(role: str) -> list[str]:
    """All values of a password while it is rotated, the one in use first: Kubernetes changes the files one moment to the next."""
    file = PASSWORDS / role / "password"
    values = [password(role)]
    for beside in ("next", "former"):
        try:
            values.append(file.with_name(f"{file.name}.{beside}").read_text().rstrip("\n"))
        except FileNotFoundError:
            pass
    return list(dict.fromkeys(values))
