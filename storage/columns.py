"""What every table is made of: the common row, and columns of our own types.

Times are UTC, money is USD, durations are milliseconds; NULL is "not known".
"""

from typing import Any, ClassVar

from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel

from storage.types import Amount, Count, SafeJson, SafeText, UTCDateTime


class Row(SQLModel):
    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def text(**options: Any) -> Any:
    return Field(sa_type=SafeText, **options)


def moment(**options: Any) -> Any:
    return Field(sa_type=UTCDateTime, **options)


def amount() -> Any:
    return Field(sa_type=Amount)


def count() -> Any:
    return Field(sa_type=Count)


def json() -> Any:
    return Field(sa_type=SafeJson)
