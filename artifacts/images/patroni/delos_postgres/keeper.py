"""Beside Patroni: while this member is the primary, databases, owners and passwords are what files and Secrets say. Patroni is told
when passwords of members among themselves are others."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.request

from . import passwords
from .settings import FILES, PASSWORDS, settings

SECONDS = 5
SCRIPT = FILES / "reconcile.sh"


def main() -> None:
    port = settings()["ports"]["patroni"]
    done = None
    while True:
        if not is_primary(port):
            done = None
        elif (wanted := digest()) != done and reconcile():
            done = wanted
        if passwords.changed(port):
            os.kill(int(os.environ["DELOS_PATRONI"]), signal.SIGHUP)
        time.sleep(SECONDS)


def is_primary(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/primary", timeout=SECONDS):
            return True
    except OSError:
        return False


def digest() -> str:
    files = [SCRIPT, *sorted(PASSWORDS.glob("*/password"))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def reconcile() -> bool:
    result = subprocess.run(["/bin/sh", str(SCRIPT)], timeout=120, check=False)
    if result.returncode != 0:
        print("databases, owners and passwords are not what they shall be: trying again", file=sys.stderr)
    return result.returncode == 0


if __name__ == "__main__":
    main()
