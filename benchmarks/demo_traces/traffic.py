"""Who asks when: the volume of an hour and the sessions that begin in it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

_T = TypeVar("_T")

_FEATURES = {"search": 0.34, "setup-help": 0.26, "api-reference": 0.19, "troubleshooting": 0.21}
_MODELS = {"marten-small": 0.7, "marten-large": 0.3}
_ENVIRONMENTS = {"production": 0.88, "staging": 0.12}
_TURNS = {1: 0.66, 2: 0.22, 3: 0.09, 4: 0.03}
_TRACES_PER_SESSION = 1.53
_USERS = 400
_V3_PERCENT = 34
_WEEKEND = 0.75

V2_BEFORE_END = timedelta(hours=300)
V3_BEFORE_END = timedelta(hours=252)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One visit of one user: what all its traces share."""

    start: datetime
    conversation_id: str
    user: int
    feature: str
    model: str
    environment: str
    prompt_version: str
    turns: int


def traces_per_hour(hour: datetime) -> float:
    """The expected volume: a daily wave with its low at 3:00 UTC, lower at weekends."""
    wave = 22 - 9.5 * math.cos(2 * math.pi * (hour.hour - 3) / 24)
    return wave * (_WEEKEND if hour.weekday() >= 5 else 1.0)


def sessions(rng: Random, hour: datetime, end: datetime, scale: float) -> Iterator[Session]:
    """The sessions that begin within one hour, oldest first: a Poisson process."""
    per_second = scale * traces_per_hour(hour) / _TRACES_PER_SESSION / 3600
    elapsed = rng.expovariate(per_second)
    while elapsed < 3600:
        yield _session(rng, hour + timedelta(milliseconds=int(elapsed * 1000)), end)
        elapsed += rng.expovariate(per_second)


def prompt_version(user: int, now: datetime, end: datetime) -> str:
    """v1, later v2 for all, later v3 for 34 of 100 users beside v2."""
    if now < end - V2_BEFORE_END:
        return "v1"
    return "v3" if now >= end - V3_BEFORE_END and user % 100 < _V3_PERCENT else "v2"


def _session(rng: Random, start: datetime, end: datetime) -> Session:
    user = rng.randrange(_USERS)
    return Session(
        start=start,
        conversation_id=f"c{rng.getrandbits(32):08x}",
        user=user,
        feature=_pick(rng, _FEATURES),
        model=_pick(rng, _MODELS),
        environment=_pick(rng, _ENVIRONMENTS),
        prompt_version=prompt_version(user, start, end),
        turns=_pick(rng, _TURNS),
    )


def _pick(rng: Random, shares: dict[_T, float]) -> _T:
    return rng.choices(tuple(shares), tuple(shares.values()))[0]
