"""Whose a session of PostgreSQL is: its name says which process of which machine opened it."""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path


@cache
def place() -> str:
    """This machine, or rather the processes on it that can see one another."""
    try:
        processes = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        processes = 0
    return f"{socket.gethostname()}:{processes}"


def session_name(at: str, pid: int) -> str:
    """The name of the sessions of that process; PostgreSQL keeps 63 characters of a name."""
    return f"tailwatch {hashlib.blake2b(at.encode(), digest_size=8).hexdigest()}/{pid}"


def own_session_name() -> str:
    """The name of this process's sessions."""
    return session_name(place(), os.getpid())


def sessions_of(holder: str) -> str:
    """The name of the sessions of a worker, whose own name begins with its place and process."""
    at, _, rest = holder.partition("/")
    pid = rest.partition("/")[0]
    return session_name(at, int(pid)) if pid.isdecimal() else ""
