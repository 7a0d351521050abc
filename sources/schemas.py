"""The published JSON schemas of both input formats, made from the code that reads them.

`python -m sources.schemas` writes them to docs/schemas; a test fails when they are not current.
"""

import json
from pathlib import Path
from typing import Any

from sources.log_records import RECORD
from sources.trace_lines import TRACE
from tailwatch.trace_checks import MAX_TEXT_CHARS

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LONG_TEXTS = frozenset({"input", "output", "reference", "query", "text", "error_message"})


def trace_schema() -> dict[str, Any]:
    """The schema of one line of tailwatch's own trace format: a Trace without its source."""
    schema = TRACE.json_schema()
    del schema["properties"]["source"]
    schema["required"].remove("source")
    schema["title"] = "tailwatch trace"
    return _with_limits(schema)


def log_record_schema() -> dict[str, Any]:
    """The schema of one structured log record; columns it does not name are allowed."""
    schema = RECORD.json_schema()
    schema["title"] = "tailwatch log record"
    time = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}
    schema["properties"]["timestamp"] = {**time, "title": "Timestamp"}
    for name in ("trace_id", "span_id", "parent_id", "prompt_version", "user_id"):
        _also_accept_integers(schema["properties"][name])
    return _with_limits(schema)


def published() -> dict[str, str]:
    """The text of each schema file, by file name."""
    schemas = {
        "trace.schema.json": trace_schema(),
        "log-record.schema.json": log_record_schema(),
    }
    return {name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()}


def _with_limits(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what the values themselves refuse: negative amounts and over-long texts."""
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            if name.endswith(("_tokens", "_ms", "_usd")) or name == "rank":
                field["minimum"] = 0
            if name in _LONG_TEXTS:
                field["maxLength"] = MAX_TEXT_CHARS
    feedback = schema["$defs"]["Feedback"]["properties"]["value"]
    feedback["minimum"], feedback["maximum"] = -1, 1
    return {"$schema": _DIALECT, **schema}


def _also_accept_integers(field: dict[str, Any]) -> None:
    if "anyOf" in field:
        field["anyOf"].append({"type": "integer"})
    else:
        field["type"] = [field["type"], "integer"]


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in published().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
