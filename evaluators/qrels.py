"""Reads relevance judgements from a file."""

import json
from pathlib import Path
from typing import Any

from tailwatch.errors import ConfigurationError
from tailwatch.protocols import Qrels

_ACCEPTED = (
    'accepted are JSON lines {"query": ..., "document_id": ..., "grade": 0, 1, ...} '
    "and TREC lines `query-id 0 document-id grade`"
)


def load_qrels(path: Path) -> Qrels:
    """The judgements in a file: query (its text or id) -> document id -> grade, 0 not relevant.

    The file holds one judgement a line, as JSON or in TREC's format; the last one for a pair
    counts. Raises ConfigurationError naming the file and line that it cannot read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the judgements {path} cannot be read: {error}") from error
    qrels: dict[str, dict[str, int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
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
    except (ValueError, KeyError) as error:
        raise ConfigurationError(f"{place}: not a judgement ({error}); {_ACCEPTED}") from None
    if not isinstance(query, str) or not isinstance(document, str):
        raise ConfigurationError(f"{place}: query and document_id must be text; {_ACCEPTED}")
    return query, document, _grade(grade, place)


def _grade(given: object, place: str) -> int:
    """A whole grade of 0 or more; TREC's negative grades mean not relevant."""
    try:
        grade = int(given) if isinstance(given, int | str) else None
    except ValueError:
        grade = None
    if grade is None or isinstance(given, bool):
        raise ConfigurationError(f"{place}: the grade is {given!r}; it must be a whole number")
    return max(0, grade)
