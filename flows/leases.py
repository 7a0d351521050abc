"""Who works on an hour, for how long that is theirs, and whether they are still there."""

import os
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from storage.claim_records import Claim
from storage.sessions import place
from storage.store import Store
from tailwatch.errors import StoreError


def holder_name() -> str:
    """A name for this worker that no other one has, and that tells where its process is."""
    return f"{place()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


@contextmanager
def renewed(
    store: Store, claim: Claim, lease: timedelta, stop: Callable[[], object]
) -> Iterator[threading.Event]:
    """Renews the claim from a thread, which a busy evaluator does not hold up, as long as the
    context lasts. When another worker took the hour over it sets the event and calls `stop`.
    """
    over, taken_over = threading.Event(), threading.Event()

    def renew() -> None:
        while not over.wait(lease.total_seconds() / 4):
            try:
                held = store.renew_claim(claim, lease)
                store.end_late_sessions(claim.job_id)
            except StoreError:
                continue  # the next write finds out what is the matter
            if not held:
                taken_over.set()
                with suppress(RuntimeError):  # the loop is closed already
                    stop()
                return

    thread = threading.Thread(target=renew, name=f"lease of {claim.window.start}", daemon=True)
    thread.start()
    try:
        yield taken_over
    finally:
        over.set()
        thread.join()


def gone(holders: Collection[str]) -> list[str]:
    """The holders that were processes of this machine and are no more."""
    return [holder for holder in holders if _is_gone(holder)]


def _is_gone(holder: str) -> bool:
    at, _, rest = holder.partition("/")
    if at != place():
        return False
    try:
        os.kill(int(rest.partition("/")[0]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False
    return False
