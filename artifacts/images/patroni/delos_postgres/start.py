"""Becomes a member. Decides what its folder is, and may be killed at any instant: each start looks again.

Only the first member makes a database, or takes over one that was alone before, and only where there is none of several yet. All
others wait for a primary, and copy it. So two can never make two databases.
"""

import json
import os
import shutil
import subprocess
import sys
import time

from .settings import DATA, FILES, MEMBERS_USER, RUN, password, settings
from .store import Store

RETRY_SECONDS = 2
#: Patroni's own, in every folder that was a member's.
MEMBER = DATA / "patroni.dynamic.json"
#: PostgreSQL removes it at its first start: with it, the folder is a copy that never ran.
COPY = DATA / "backup_label"


def main() -> None:
    os.umask(0o077)
    given = settings()
    first = os.environ["POD_NAME"].endswith("-0")
    file = write(given, {role: password(role) for role in given["roles"].values()})
    there = initialized(given)
    clean(copied=there or not first)
    if first and not there:
        prepare()
    loop = f"while :; do {sys.executable} -m delos_postgres.keeper; sleep 5; done"
    # What it becomes has the same process id, by which the keeper tells it of other passwords.
    script = f'export DELOS_PATRONI=$$; {loop} & exec {sys.executable} -m delos_postgres.member "$1"'
    os.execv("/bin/sh", ["/bin/sh", "-c", script, "patroni", str(file)])


def write(given: dict, passwords: dict):
    """The settings of this member for Patroni. They hold passwords, so they lie in memory."""
    own = given["local"]
    address = os.environ["POD_IP"]
    host = f"[{address}]" if ":" in address else address
    own["name"] = os.environ["POD_NAME"]
    own["kubernetes"]["namespace"] = os.environ["POD_NAMESPACE"]
    own["kubernetes"]["pod_ip"] = address
    own["restapi"]["connect_address"] = f"{host}:{given['ports']['patroni']}"
    own["restapi"]["authentication"] = {"username": MEMBERS_USER, "password": password(MEMBERS_USER)}
    own["postgresql"]["connect_address"] = f"{host}:{given['ports']['postgres']}"
    own["postgresql"]["data_dir"] = str(DATA)
    own["postgresql"]["pgpass"] = str(RUN / "pgpass")
    own["postgresql"]["authentication"] = {
        "superuser": {"username": "postgres"},
        **{role: {"username": name, "password": passwords[name]} for role, name in given["roles"].items()},
    }
    file = RUN / "patroni.yml"
    new = file.with_suffix(".new")
    # YAML is a superset of JSON.
    new.write_text(json.dumps(own))
    new.replace(file)
    return file


def clean(copied: bool) -> None:
    """Removes what a kill may leave, and a start would stumble over. The folder is this Pod's alone.

    `copied`: what is in it is a copy of another member's, or shall be.
    """
    if not DATA.is_dir() or DATA.stat().st_uid != os.getuid():
        return
    (DATA / "postmaster.pid").unlink(missing_ok=True)
    # The kubelet may have opened it to the group of the volume, with which PostgreSQL does not start.
    DATA.chmod(0o700)
    if copied and not (DATA / "global/pg_control").exists():
        print("removing a copy that was not finished", file=sys.stderr)
        shutil.rmtree(DATA)


def initialized(given: dict) -> bool:
    """Whether there is a database of several already. Waits for the Kubernetes API where that must be known."""
    own = given["local"]
    scope = own["scope"]
    store = Store(os.environ["POD_NAMESPACE"], scope, {own["kubernetes"]["scope_label"]: scope})
    while True:
        try:
            return store.agree(given["dynamic"])
        except OSError as error:
            print(f"the Kubernetes API: {error}", file=sys.stderr)
            if MEMBER.exists() and not COPY.exists():
                return True
        time.sleep(RETRY_SECONDS)


def prepare() -> None:
    """The folder of the first member, where there is no database of several: new, of one that was alone, or restored."""
    if MEMBER.exists():
        if not COPY.exists():
            # All that members agree on is lost, and others may have more than this one: they find out among themselves.
            return
        base = DATA / "postgresql.base.conf"
        if base.exists():
            base.rename(DATA / "postgresql.conf")
        # The mark goes last: a killed run is done again.
        for name in ("standby.signal", "recovery.signal", MEMBER.name):
            (DATA / name).unlink(missing_ok=True)
    subprocess.run(["/bin/sh", str(FILES / "prepare.sh")], check=True)


if __name__ == "__main__":
    main()
