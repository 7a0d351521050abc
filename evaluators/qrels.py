"""Reads relevance judgements from a file."""

import json
from pathlib import Path
from typing import Any, Final

from tailwatch.errors import ConfigurationError
from tailwatch.protocols import Qrels

MAX_GRADE: Final = 100
"""The largest grade: an exponential gain of it is still a number."""

_ACCEPTED: Final = (
    'accepted are JSON lines {"query": ..., "document_id": ..., "grade": 0, 1, ...} '
    "and TREC lines `query-id 0 document-id grade`"
)


def load_qrels(path: Path) -> Qrels:
    """The judgements in a file: query (its text or id) -> document id -> grade, 0 not relevant.

    The file holds one judgement a line, as JSON or in TREC's format; the last one for a pair
    counts. Raises ConfigurationError naming the file and line that it cannot read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the judgements {path} cannot be read: {error}") from error
    qrels: dict[str, dict[str, int]] = {}
    # not splitlines(): a query may hold a line separator that is no newline
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            query, document, grade = _judgement(line, f"{path}:{number}")
            qrels.setdefault(query, {})[document] = grade
    if not qrels:
        raise ConfigurationError(f"the judgements {path} hold none; {_ACCEPTED}")
    return qrels


def _judgement(line: str, place: str) -> tuple[str, str, int]:
    if not line.lstrip().startswith("{"):
        parts = line.split()
        if len(parts) != 4:
            raise ConfigurationError(f"{place}: not a judgement; {_ACCEPTED}")
        return parts[0], parts[2], _grade(parts[3], place)
    try:
        record: dict[str, Any] = json.loads(line)
        query, document = record["query"], record["document_id"]
        grade = record["grade"]
    except (ValueError, KeyError, RecursionError) as error:
        raise ConfigurationError(f"{place}: not a judgement ({error}); {_ACCEPTED}") from None
    if not isinstance(query, str) or not isinstance(document, str):
        raise ConfigurationError(f"{place}: query and document_id must be text; {_ACCEPTED}")
    return query.strip(), document, _grade(grade, place)


def _grade(given: object, place: str) -> int:
    """A whole grade from 0 to 100; TREC's negative grades mean not relevant."""
    try:
        grade = int(given) if isinstance(given, int | str) else None
    except ValueError:
        grade = None
    if grade is None or isinstance(given, bool) or grade > MAX_GRADE:
        raise ConfigurationError(
            f"{place}: the grade is {str(given)[:40]!r}; it must be a whole number, "
            f"at most {MAX_GRADE}"
        )
    return max(0, grade)
