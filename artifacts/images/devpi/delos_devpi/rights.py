"""Who may do what: the control API's word. It judges the token and the right, each time by its own one rule."""

import hashlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import httpx

# An answer holds for so long. Who is removed, or leaves a project, loses it no later.
HOLDS_SECONDS = 10
# Answers that are kept at once.
MOST_ANSWERS = 4096
TIMEOUT = httpx.Timeout(5)

USER = re.compile(r"[a-z][a-z0-9-]{2,62}")
# A bearer token (RFC 6750).
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,12000}=*")


class Unauthenticated(Exception):
    """The token is no token of this user, or not any more."""


class Unavailable(Exception):
    """The control API gives no answer, so that nothing can be allowed."""


@dataclass(frozen=True)
class Index:
    """An index of DevPI: user and index there are organization and project here."""

    org: str
    project: str

    @property
    def name(self) -> str:
        return f"{self.org}/{self.project}"


@dataclass(frozen=True)
class Rights:
    read: bool
    write: bool


NONE = Rights(read=False, write=False)


class ControlApi:
    def __init__(self, url: str, cluster: str, now: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._now = now
        # No proxy of the environment: the control API is inside the cluster.
        limits = httpx.Limits(max_connections=16, max_keepalive_connections=4)
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False, limits=limits)
        self._known: OrderedDict[tuple[str, str, str], tuple[float, Rights | None]] = OrderedDict()
        self._lock = threading.Lock()

    def authenticate(self, user: str, token: str) -> None:
        """Raises Unauthenticated, Unavailable."""
        self._answer(user, token, None)

    def rights(self, user: str, token: str, index: Index) -> Rights:
        """Raises Unauthenticated, Unavailable."""
        return self._answer(user, token, index)

    def _answer(self, user: str, token: str, index: Index | None) -> Rights:
        if not USER.fullmatch(user) or not TOKEN.fullmatch(token):
            raise Unauthenticated
        # The token itself is not kept.
        key = (user, hashlib.sha256(token.encode()).hexdigest(), "" if index is None else index.name)
        with self._lock:
            until, answer = self._known.get(key, (0.0, None))
        if until <= self._now():
            answer = self._ask(user, token, index)
            with self._lock:
                self._known[key] = (self._now() + HOLDS_SECONDS, answer)
                self._known.move_to_end(key)
                while len(self._known) > MOST_ANSWERS:
                    self._known.popitem(last=False)
        if answer is None:
            raise Unauthenticated
        return answer

    def _ask(self, user: str, token: str, index: Index | None) -> Rights | None:
        """None: not authenticated."""
        actions = [] if index is None else ["read", "write"]
        uri = "" if index is None else f"pypi://{self._cluster}/{index.name}"
        try:
            answer = self._http.post(
                f"/api/v1/users/{user}/permissions/check",
                json=[{"uri": uri, "action": action} for action in actions],
                headers={"authorization": f"Bearer {token}"},
            )
            body = answer.json() if answer.status_code == 403 else {}
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(type(error).__name__) from error
        if answer.status_code == 200:
            return Rights(read=True, write=True)
        if answer.status_code == 401:
            return None
        if answer.status_code != 403:
            raise Unavailable(f"status {answer.status_code}")
        # Somebody else's token: what is missing is not said.
        if "missing" not in body:
            return None
        missing = {permission["action"] for permission in body["missing"]}
        return Rights(read="read" not in missing, write="write" not in missing)
