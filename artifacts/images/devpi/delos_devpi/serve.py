"""Serves DevPI behind the guard, and its health on a port of its own."""

import logging
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cheroot import wsgi
from devpi_server.config import get_pluginmanager, parseoptions
from devpi_server.log import configure_logging
from devpi_server.main import XOM, xom_from_config

from . import hooks
from .guard import Guard
from .hooks import config_of
from .rights import ControlApi, Index
from .settings import Settings, read_settings

log = logging.getLogger("delos")

THREADS = 16
# Connections that wait for a thread.
WAITING = 64
# Most seconds between two bytes of a client.
SILENCE_SECONDS = 30
MOST_HEADER = 32 * 1024


class Gateway(wsgi.Gateway_10):
    """Without this, cheroot would read what is left of a refused body into memory."""

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if ("Connection", "close") in headers:
            self.req.close_connection = True
        return super().start_response(status, headers, exc_info)


def main() -> None:
    os.umask(0o077)
    settings = read_settings()
    xom = open_devpi(settings)
    sweep(settings.server)
    serving = Serving(xom, settings)
    xom.thread_pool.register(serving)

    def until_told() -> None:
        threading.Event().wait()

    # As process 1 it would not hear of SIGTERM otherwise. DevPI's threads are told to stop, and the servers with them.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    xom.thread_pool.run(until_told)
    log.info("stopped")


def open_devpi(settings: Settings) -> XOM:
    plugins = get_pluginmanager()
    plugins.register(hooks)
    # Signs DevPI's own logins, which are not used.
    secret = Path(tempfile.mkdtemp()) / "secret"
    secret.write_bytes(secrets.token_bytes(64))
    arguments = [
        "devpi-server",
        "--serverdir",
        str(settings.server),
        "--role",
        "standalone",
        # Nothing is fetched from elsewhere.
        "--offline-mode",
        # Nobody's name: users and indices are made here alone.
        "--restrict-modify",
        ":nobody",
        "--keyfs-cache-size",
        "2000",
        "--secretfile",
        str(secret),
        # By its defaults it would take 512 MiB of memory to make a key of the secret.
        "--argon2-memory-cost",
        "64",
        "--argon2-parallelism",
        "1",
        "--argon2-time-cost",
        "1",
    ]
    config = parseoptions(plugins, arguments)
    configure_logging(config.args)
    return xom_from_config(config)


def sweep(server: Path) -> None:
    """Files of uploads that a kill cut off. Opening the database has taken out those that belong to it."""
    for folder, _, names in os.walk(server / "+files"):
        for name in names:
            if name.endswith("-tmp"):
                os.unlink(os.path.join(folder, name))


class Serving:
    """Both servers, as one of DevPI's threads: one that fails ends the process."""

    def __init__(self, xom: XOM, settings: Settings) -> None:
        api = ControlApi(settings.api, settings.cluster)
        guard = Guard(xom.create_app(), api, settings, Indices(xom).ensure)
        self._main = server(guard, settings.port, THREADS, WAITING)
        self._main.max_request_body_size = settings.max_upload + 2**20
        self._internal = server(internal(xom, settings), settings.internal_port, 2, 16)

    def thread_run(self) -> None:
        self._main.prepare()
        threading.Thread(target=self._internal.safe_start, daemon=True).start()
        log.info("serving")
        self._main.serve()

    def thread_shutdown(self) -> None:
        # New requests find nobody; those under way are finished.
        self._internal.stop()
        self._main.stop()


def server(app: Any, port: int, threads: int, waiting: int) -> wsgi.Server:
    made = wsgi.Server(
        ("0.0.0.0", port),
        app,
        numthreads=threads,
        max=threads,
        server_name="devpi",
        request_queue_size=waiting,
        accepted_queue_size=waiting,
        timeout=SILENCE_SECONDS,
        shutdown_timeout=10,
    )
    made.gateway = Gateway
    made.max_request_header_size = MOST_HEADER
    return made


def internal(xom: XOM, settings: Settings) -> Callable[..., Iterable[bytes]]:
    """Health and metrics."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            text = volume_metrics(settings.data).encode()
            headers = [("Content-Type", "text/plain; version=0.0.4; charset=utf-8"), ("Content-Length", str(len(text)))]
            start_response("200 OK", headers)
            return [text]
        if path not in ("/health/live", "/health/ready"):
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        if path == "/health/ready":
            with xom.keyfs.read_transaction():
                xom.model.get_user("root")
        start_response("200 OK", [("Content-Length", "0")])
        return []

    return answer


def volume_metrics(data: Path) -> str:
    """In Prometheus' text format."""
    disk = os.statvfs(data)
    gauges = {
        "delos_devpi_volume_bytes": ("Size of the volume.", disk.f_blocks * disk.f_frsize),
        "delos_devpi_volume_free_bytes": ("What packages can still take of the volume.", disk.f_bavail * disk.f_frsize),
        "delos_devpi_volume_files": ("Files that the volume can have; 0: any number.", disk.f_files),
        "delos_devpi_volume_free_files": ("Files that the volume can still take.", disk.f_ffree),
    }
    return "".join(
        f"# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n" for name, (help, value) in gauges.items()
    )


class Indices:
    """Makes an index when it is asked for first. Safe to be called by many at once, and killed."""

    def __init__(self, xom: XOM) -> None:
        self._xom = xom
        self._made: set[Index] = set()

    def ensure(self, index: Index) -> None:
        if index in self._made:
            return
        with self._xom.keyfs.read_transaction():
            there = self._is_made(index)
        if not there:
            with self._xom.keyfs.write_transaction():
                self._make(index)
        self._made.add(index)

    def _is_made(self, index: Index) -> bool:
        stage = self._xom.model.getstage(index.org, index.project)
        return stage is not None and all(plain(stage.ixconfig.get(key)) == value for key, value in config_of(index).items())

    def _make(self, index: Index) -> None:
        if self._is_made(index):
            return
        user = self._xom.model.get_user(index.org)
        if user is None:
            user = self._xom.model.create_user(index.org, password=None)
        stage = user.getstage(index.project)
        if stage is None:
            user.create_stage(index.project, **config_of(index))
            log.info("made the index %s", index.name)
        else:
            stage.modify(**config_of(index))


def plain(value: Any) -> Any:
    """As it was given: the database has views of its lists."""
    return value if value is None or isinstance(value, str | bool) else tuple(value)


if __name__ == "__main__":
    main()
