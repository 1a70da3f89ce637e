"""Makes DevPI's data folder before the first start. It gets its name only when it is whole, so that this may be killed at
any instant and run again."""

import os
import shutil
from pathlib import Path

from devpi_server.config import get_pluginmanager, parseoptions
from devpi_server.main import DATABASE_VERSION, set_state_version, xom_from_config

from .settings import read_settings


def main() -> None:
    os.umask(0o077)
    folder = read_settings().server
    if folder.exists():
        return
    new = folder.with_name("server.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    make(new)
    for path in [*new.rglob("*"), new]:
        sync(path)
    new.rename(folder)
    sync(folder.parent)


def make(folder: Path) -> None:
    config = parseoptions(get_pluginmanager(), ["devpi-init", "--serverdir", str(folder), "--role", "standalone"])
    set_state_version(config, DATABASE_VERSION)
    xom = xom_from_config(config, init=True)
    # Makes the database.
    xom.keyfs.get_current_serial()
    with xom.keyfs.write_transaction():
        # DevPI expects that there is one. Nobody can log in as it: it has no password, and DevPI checks none here.
        xom.model.create_user("root", password=None)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
