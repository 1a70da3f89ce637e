"""Writes DevPI's data folder to stdout as one tar, while DevPI serves.

DevPI renames a file to its place before it commits the row that names it. So the copy of the database comes first, and
every file that it names is in the tar, unless somebody removes it meanwhile.
"""

import os
import sqlite3
import sys
import tarfile
import tempfile
from pathlib import Path

from .settings import read_settings

DATABASE = ".sqlite"
# Of SQLite, beside its database: the copy needs none of them.
BESIDE = (f"{DATABASE}-journal", f"{DATABASE}-wal", f"{DATABASE}-shm")


def main() -> None:
    save(read_settings().server)


def save(folder: Path) -> None:
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        with tempfile.NamedTemporaryFile(suffix=DATABASE) as copy:
            copy_database(folder / DATABASE, copy.name)
            archive.add(copy.name, DATABASE)
        # A folder at a time: memory is the same for any number of packages.
        for parent, folders, files in os.walk(folder):
            folders.sort()
            for name in [*folders, *sorted(files)]:
                path = Path(parent, name)
                inside = str(path.relative_to(folder))
                if inside == DATABASE or inside in BESIDE:
                    continue
                try:
                    archive.add(path, inside, recursive=False)
                except FileNotFoundError:
                    # Removed since it was listed.
                    continue
            # tarfile keeps what it has written, for a list that nobody asks for.
            archive.members.clear()


def copy_database(source: Path, target: str) -> None:
    """As of one transaction (https://www.sqlite.org/backup.html)."""
    reading = sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)
    writing = sqlite3.connect(target)
    try:
        reading.backup(writing)
    finally:
        writing.close()
        reading.close()
    os.chmod(target, 0o600)


if __name__ == "__main__":
    main()
