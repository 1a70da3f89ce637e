"""Takes a request's body from the network: whole before DevPI begins with it, since DevPI lets nobody else write then."""

import tempfile
import threading
import time
from contextlib import contextmanager
from typing import IO, Any

PIECE = 256 * 1024
# Bodies that are on their way at once; each lies twice in the temporary folder for a moment.
MOST_UPLOADS = 2
WAIT_SECONDS = 60
BODY_SECONDS = 900
# A refused body is read for so long, that its sender sees the answer, by so many at once.
DRAIN_SECONDS = 10
MOST_DRAINS = 4


class TooLarge(Exception):
    pass


class Busy(Exception):
    """There are too many uploads."""


class TooSlow(Exception):
    pass


class CutOff(Exception):
    """The sender has gone."""


_uploads = threading.BoundedSemaphore(MOST_UPLOADS)
_drains = threading.BoundedSemaphore(MOST_DRAINS)


@contextmanager
def spooled(source: Any, length: int | None, most: int):
    """The body as a file without a name, and its size. Raises TooLarge, Busy, TooSlow, CutOff, OSError."""
    if length is not None and length > most:
        raise TooLarge
    if not _uploads.acquire(timeout=WAIT_SECONDS):
        raise Busy
    try:
        with tempfile.TemporaryFile() as file:
            yield file, _copy(source, file, length, most)
    finally:
        _uploads.release()


def _copy(source: Any, file: IO[bytes], length: int | None, most: int) -> int:
    end = time.monotonic() + BODY_SECONDS
    size = 0
    while length is None or size < length:
        piece = source.read(PIECE if length is None else min(PIECE, length - size))
        if not piece:
            break
        size += len(piece)
        if size > most:
            raise TooLarge
        if time.monotonic() > end:
            raise TooSlow
        file.write(piece)
    if length is not None and size < length:
        raise CutOff
    file.seek(0)
    return size


def drain(source: Any, length: int | None, most: int) -> bool:
    """Reads what is left of a body that nobody wants. False: something is still left."""
    if length == 0:
        return True
    if not _drains.acquire(blocking=False):
        return False
    try:
        end = time.monotonic() + DRAIN_SECONDS
        size = 0
        while size <= most and time.monotonic() < end:
            piece = source.read(PIECE if length is None else min(PIECE, length - size))
            if not piece:
                return length is None
            size += len(piece)
            if size == length:
                return True
        return False
    except OSError:
        return False
    finally:
        _drains.release()
