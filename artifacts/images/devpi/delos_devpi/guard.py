"""Stands before DevPI and lets nothing through that is not listed here. DevPI's own rules are wider: it shows every index to
everybody, and a login of it outlives the user."""

import base64
import binascii
import errno
import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from devpi_server.views import API_VERSION

from . import spool
from .hooks import CALLER, Caller
from .rights import NONE, ControlApi, Index, Unauthenticated, Unavailable
from .settings import Settings

log = logging.getLogger("delos")

# A label as delos.yaml takes it for organizations and projects (RFC 1123).
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
IN_INDEX = re.compile(rf"/({LABEL})/({LABEL})(/.*)?", re.DOTALL)
# Room on the volume that uploads leave to the database.
RESERVE = 32 * 2**20
MOST_LOGIN = 16 * 1024
# Headers that DevPI believes and that only the guard may say.
OURS = ("AUTHORIZATION", "X_DEVPI_AUTH", "X_OUTSIDE_URL", "X_ORIGINAL_URI", "X_REAL_IP")

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Refused(Exception):
    def __init__(self, status: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


@dataclass(frozen=True)
class Credentials:
    user: str
    token: str


FULL = Refused(
    "507 Insufficient Storage",
    "the volume of DevPI is full: nothing was stored; the administrator makes room or a larger volume",
)
NOT_FOUND = "there is no such page, or it is not yours to see"
CHALLENGE = (("WWW-Authenticate", 'Basic realm="pypi"'),)
LATER = (("Retry-After", "5"),)


class Guard:
    def __init__(self, devpi: App, api: ControlApi, settings: Settings, ensure: Callable[[Index], None]) -> None:
        self._devpi = devpi
        self._api = api
        self._settings = settings
        self._ensure = ensure

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        source, length = environ["wsgi.input"], body_length(environ)
        try:
            return self._answer(environ, start_response, length)
        except Refused as refused:
            answer = refused
        except (Unavailable, spool.Busy) as error:
            log.warning("not answered: %s %s", type(error).__name__, error)
            what = "there are too many uploads" if isinstance(error, spool.Busy) else "the control API does not answer"
            answer = Refused("503 Service Unavailable", f"{what}: try again in a moment", LATER)
        except (OSError, sqlite3.Error) as error:
            if not is_full(error):
                raise
            log.error("the volume is full: %s", error)
            answer = FULL
        headers = answer.headers
        if not spool.drain(source, length, self._settings.max_upload):
            headers = (*headers, ("Connection", "close"))
        body = say(start_response, answer.status, {"message": answer.message}, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else body

    def _answer(self, environ: Environ, start_response: Callable[..., Any], length: int | None) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        prefix = self._settings.prefix
        if not path.startswith(f"{prefix}/"):
            raise Refused("404 Not Found", NOT_FOUND)
        path = path[len(prefix) :]
        credentials = credentials_of(environ)
        inner = {key: value for key, value in environ.items() if key.removeprefix("HTTP_") not in OURS}
        inner |= {"SCRIPT_NAME": prefix, "PATH_INFO": path, "wsgi.url_scheme": scheme_of(environ)}

        if path == "/+login" and method == "POST":
            return self._login(environ, start_response, length)
        if path == "/+api" and method in ("GET", "HEAD"):
            # Where things are, which everybody may know, and who asks.
            if credentials is not None:
                self._authenticate(credentials)
                inner[CALLER] = Caller(credentials.user, None, NONE)
            return self._devpi(inner, start_response)

        found = IN_INDEX.fullmatch(path)
        if found is None:
            raise Refused("404 Not Found", NOT_FOUND)
        index, below = Index(found[1], found[2]), (found[3] or "").strip("/")
        if credentials is None:
            raise Refused("401 Unauthorized", "log in by the name of a user and a token of the platform", CHALLENGE)
        try:
            rights = self._api.rights(credentials.user, credentials.token, index)
        except Unauthenticated:
            raise unauthenticated(credentials.user) from None
        if not rights.read:
            raise Refused("404 Not Found", NOT_FOUND)
        if method not in ("GET", "HEAD"):
            self._judge_change(environ, credentials.user, index, below, rights.write)
        self._ensure(index)
        inner[CALLER] = Caller(credentials.user, index, rights)
        if method != "POST":
            return self._devpi(inner, start_response)
        return self._upload(inner, start_response, length)

    def _judge_change(self, environ: Environ, user: str, index: Index, below: str, may_write: bool) -> None:
        method = environ["REQUEST_METHOD"]
        if not may_write:
            raise Refused(
                "403 Forbidden",
                f"{user} may only read in project {index.name}; "
                "ask the administrator for the role writer in this project",
            )
        form = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == "multipart/form-data"
        if (method == "POST" and below == "" and form) or (method == "DELETE" and below != ""):
            return
        raise Refused(
            "405 Method Not Allowed",
            "releases are uploaded and removed here, and nothing else is changed: "
            "the indices are the projects of delos.yaml",
        )

    def _upload(self, inner: Environ, start_response: Callable[..., Any], length: int | None) -> Iterable[bytes]:
        self._require_room(length or 0)
        try:
            with spool.spooled(inner["wsgi.input"], length, self._settings.max_upload) as (body, size):
                self._require_room(size)
                inner |= {"wsgi.input": body, "CONTENT_LENGTH": str(size), "wsgi.input_terminated": True}
                answer = self._devpi(inner, start_response)
                try:
                    return list(answer)
                finally:
                    if hasattr(answer, "close"):
                        answer.close()
        except spool.TooLarge:
            most = self._settings.max_upload // 2**20
            raise Refused("413 Content Too Large", f"the upload is larger than {most} MiB") from None
        except spool.TooSlow:
            raise Refused("408 Request Timeout", "the upload took too long") from None
        except spool.CutOff:
            raise Refused("400 Bad Request", "the upload ended before it was whole") from None

    def _require_room(self, size: int) -> None:
        volume = os.statvfs(self._settings.data)
        if volume.f_bavail * volume.f_frsize < size + RESERVE:
            raise FULL

    def _login(self, environ: Environ, start_response: Callable[..., Any], length: int | None) -> Iterable[bytes]:
        """A login of DevPI's own client. What it gets to show from then on is the token itself."""
        if length is None or length > MOST_LOGIN:
            raise Refused("413 Content Too Large", "a login is a small JSON document")
        try:
            document = json.loads(environ["wsgi.input"].read(length))
            credentials = Credentials(str(document["user"]), str(document["password"]))
        except (ValueError, KeyError, TypeError):
            raise Refused("400 Bad Request", "expected a JSON object with user and password") from None
        self._authenticate(credentials)
        result = {"password": credentials.token, "expiration": seconds_left(credentials.token)}
        return say(start_response, "200 OK", {"type": "proxyauth", "message": "login successful", "result": result})

    def _authenticate(self, credentials: Credentials) -> None:
        try:
            self._api.authenticate(credentials.user, credentials.token)
        except Unauthenticated:
            raise unauthenticated(credentials.user) from None


def say(
    start_response: Callable[..., Any], status: str, document: object, headers: tuple[tuple[str, str], ...] = ()
) -> list[bytes]:
    """Answers as DevPI does; its client looks at the version."""
    body = json.dumps(document).encode() + b"\n"
    start_response(
        status,
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("X-DEVPI-API-VERSION", API_VERSION),
            *headers,
        ],
    )
    return [body]


def unauthenticated(user: str) -> Refused:
    return Refused("401 Unauthorized", f"this is no valid token of {user!r}; get one by: apolo config show-token", CHALLENGE)


def credentials_of(environ: Environ) -> Credentials | None:
    """Of DevPI's own client, else of pip and twine. Raises Refused for a header that is none."""
    text = environ.get("HTTP_X_DEVPI_AUTH", "")
    if text == "":
        scheme, _, text = environ.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme == "":
            return None
        if scheme.lower() != "basic":
            raise Refused("401 Unauthorized", "expected Basic authentication: user and token", CHALLENGE)
    try:
        user, colon, token = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user, colon, token = "", "", ""
    if colon == "":
        raise Refused("401 Unauthorized", "the header of the login cannot be read", CHALLENGE)
    return Credentials(user, token)


def body_length(environ: Environ) -> int | None:
    """None: not told beforehand."""
    text = environ.get("CONTENT_LENGTH", "")
    if text.isascii() and text.isdigit():
        return int(text)
    return None if environ.get("wsgi.input_terminated") else 0


def scheme_of(environ: Environ) -> str:
    """Of the address that the client used; the gateway says it."""
    return "https" if environ.get("HTTP_X_FORWARDED_PROTO") == "https" else "http"


def seconds_left(token: str) -> int:
    """Until the token ends. The control API has judged it: here it is only read."""
    try:
        payload = token.split(".")[1]
        ends = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        return max(0, int(ends - time.time()))
    except (IndexError, ValueError, KeyError, TypeError):
        return 0


def is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "full" in str(error)
