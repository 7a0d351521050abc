"""Traces from files of JSON lines, plain or gzip: tailwatch's own traces and log records.

Both formats, and what is done with lines that are wrong, are described in docs/traces.md.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sources.faults import printable, sentences
from sources.file_fetch import fetch_entries
from sources.file_index import Entry, FileIndex, Key
from sources.packed_file import PackedFiles
from tailwatch.errors import ConfigurationError, SourceError
from tailwatch.protocols import Health, Page
from tailwatch.trace import FetchError, Trace, TraceRef
from tailwatch.window import Window

_READ_AT_ONCE = 32


def _as_list(value: object) -> object:
    """One path as a list of one, and paths as text."""
    values = value if isinstance(value, list | tuple) else [value]
    return [str(one) if isinstance(one, Path) else one for one in values]


class FilesOptions(BaseModel):
    """`path` is a file, a glob or a list of them; relative ones start at the current directory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        BeforeValidator(_as_list),
        Field(min_length=1),
    ]


def files_source(name: str, options: Mapping[str, Any], cache: Path | None = None) -> "FilesSource":
    """A source over the files of `options["path"]`. Raises ConfigurationError for wrong options."""
    try:
        accepted = FilesOptions.model_validate(dict(options))
    except ValidationError as error:
        raise ConfigurationError(f"source `files`, option {sentences(error)}") from error
    return FilesSource(name, accepted.path, cache)


class FilesSource:
    """The traces in some files. What is new in them is read when a listing starts; texts stay on
    disk, and so does the index of what was read, in the folder `cache` if there is one.
    """

    def __init__(self, name: str, patterns: Sequence[str], cache: Path | None = None) -> None:
        self.name = name
        self._index = FileIndex(name, patterns, cache and cache / _index_name(name, patterns))
        self._packed_files = PackedFiles()
        self._scanned = False

    async def check(self) -> Health:
        """How many files, traces and malformed lines there are, and how new the newest trace is."""
        try:
            await self._refresh()
        except SourceError as error:
            return Health(ok=False, sentence=str(error))
        found = await asyncio.to_thread(self._index.counts)
        files = _count(found.files, "file")
        malformed = _count(found.malformed, "malformed line")
        if found.newest is None:
            return Health(ok=False, sentence=f"{files} without a single trace, {malformed}")
        newest = f"{found.newest:%Y-%m-%d %H:%M} UTC"
        texts = "with" if found.has_output else "without"
        return Health(
            ok=True,
            sentence=f"{_count(found.traces, 'trace')} in {files}, the newest of {newest}, "
            f"{malformed}, {texts} output texts",
        )

    async def list_traces(
        self, window: Window, cursor: str | None = None, limit: int = 1000
    ) -> Page[TraceRef]:
        """The traces whose root started in the window, by start and id.

        The first page also brings what could not be read and was not told before. Raises
        SourceError when no file matches or none can be read, and for a cursor of another listing.
        """
        if limit < 1:
            raise SourceError(f"limit is {limit}; a page has at least one trace")
        low: Key = (window.start, "")
        if cursor is not None:
            low = max(low, _after(cursor))
        if cursor is None or not self._scanned:
            await self._refresh()
        entries = await asyncio.to_thread(self._index.between, low, window.end, limit + 1)
        refs = [entry.ref for entry in entries[:limit]]
        return Page(
            items=refs,
            next_cursor=_cursor(refs[-1]) if len(entries) > limit else None,
            errors=self._index.untold_errors() if cursor is None else (),
        )

    async def fetch(self, refs: Sequence[TraceRef]) -> AsyncIterator[Trace | FetchError]:
        """Each trace in full, or why not, in the order of the files."""
        known = await self._known(refs)
        if len(known) < len({ref.trace_id for ref in refs}):
            await self._refresh()
            known = await self._known(refs)
        entries = []
        for ref in refs:
            if ref.trace_id not in known or ref.source != self.name:
                yield FetchError(
                    source=self.name,
                    location=printable(ref.trace_id),
                    message="no file has this trace any more",
                    trace_id=ref.trace_id,
                )
            else:
                entries.append(known[ref.trace_id])
        items = fetch_entries(self.name, entries, self._packed_files)
        while batch := await asyncio.to_thread(_take, items):
            for item in batch:
                yield item

    async def _known(self, refs: Sequence[TraceRef]) -> dict[str, Entry]:
        return await asyncio.to_thread(self._index.entries, [ref.trace_id for ref in refs])

    async def _refresh(self) -> None:
        await asyncio.to_thread(self._index.refresh)
        self._scanned = True


def _index_name(name: str, patterns: Sequence[str]) -> str:
    """A file name of its own for each source and set of files."""
    whose = repr((name, sorted(str(Path(pattern).absolute()) for pattern in patterns)))
    return f"files-{blake2b(whose.encode('utf-8', 'replace'), digest_size=8).hexdigest()}.index"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _take(items: Iterator[Trace | FetchError]) -> list[Trace | FetchError]:
    return list(islice(items, _READ_AT_ONCE))


def _cursor(ref: TraceRef) -> str:
    return f"{ref.start_time.isoformat()} {ref.trace_id}"


def _after(cursor: str) -> Key:
    """The first key that can follow the trace of the cursor."""
    start, _, trace_id = cursor.partition(" ")
    try:
        moment = datetime.fromisoformat(start)
        if moment.tzinfo is None or not trace_id:
            raise ValueError(cursor)
    except ValueError:
        raise SourceError(f"{printable(cursor)!r} is not a cursor of this source") from None
    return moment, trace_id + "\0"
