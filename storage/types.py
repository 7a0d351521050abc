"""Column types that let no value in which one of the databases would refuse or change."""

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override

from storage.text import escape, original_json, safe_json, unescape

_MAX_COUNT = 2**63 - 1


class SafeText(TypeDecorator[str]):
    """Text of any length and content; see `storage.text` for how hostile text is written."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escape(value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unescape(value)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC time. Raises ValueError for a naive one. SQLite stores it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; the store takes aware times")
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Amount(TypeDecorator[float]):
    """A finite number; NaN and infinities become NULL, for they are not amounts."""

    impl = Double
    cache_ok = True

    @override
    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        return None if value is None or not math.isfinite(value) else float(value)


class Count(TypeDecorator[int]):
    """A whole number of 64 bits; a larger one becomes NULL, for it cannot have been counted."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None or abs(value) > _MAX_COUNT else int(value)


class SafeJson(TypeDecorator[Any]):
    """JSON (JSONB in PostgreSQL) with every text escaped and every NaN as null; None is NULL."""

    impl = JSON
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = JSONB if dialect.name == "postgresql" else JSON
        return dialect.type_descriptor(kind(none_as_null=True))

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else safe_json(value)

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return original_json(value)
