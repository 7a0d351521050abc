"""Which files a path or glob stands for."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailwatch.errors import SourceError

_GLOB = frozenset("*?[")

Stamp = tuple[int, int, int, int]
"""A file's device, inode, size and time of change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file and what its `stat` said: a changed `stamp` means changed contents.

    `stamp` is None for a file that cannot be looked at, such as a link to nowhere.
    """

    path: Path
    stamp: Stamp | None


def find_files(patterns: Sequence[str]) -> list[FoundFile]:
    """The regular files that match, by name; a file with several names (links) counts once.

    Raises SourceError when nothing matches, and for a plain path that is missing or no file.
    """
    found: dict[Path, FoundFile] = {}
    for pattern in patterns:
        for path in _matches(pattern):
            file = _look_at(path)
            if file is not None:
                found[path] = file
    if not found:
        raise SourceError(
            f"no file matches {', '.join(map(repr, patterns))} (looked from {Path.cwd()}); "
            "give a file or a glob such as logs/**/*.jsonl"
        )
    distinct: dict[object, FoundFile] = {}
    for path in sorted(found):
        file = found[path]
        distinct.setdefault(path if file.stamp is None else file.stamp[:2], file)
    return list(distinct.values())


def _matches(pattern: str) -> Iterator[Path]:
    path = Path(pattern).expanduser()
    if path.is_dir():
        raise SourceError(f"{pattern!r} is a directory; write {str(path / '*.jsonl')!r}")
    if path.exists():
        if not path.is_file():
            raise SourceError(f"{pattern!r} is not a regular file; give a file of JSON lines")
        return iter((path,))
    if not _GLOB & set(pattern):
        raise SourceError(f"there is no file {pattern!r} (looked from {Path.cwd()})")
    start = Path(path.anchor) if path.is_absolute() else Path()
    try:
        return iter(list(start.glob(str(path.relative_to(start)))))
    except ValueError as error:
        raise SourceError(f"{pattern!r} is not a glob: {error}") from error


def _look_at(path: Path) -> FoundFile | None:
    """The file, or None for what is no regular file: a directory, a socket, a pipe."""
    try:
        seen = path.stat()
    except OSError:
        return FoundFile(path=path, stamp=None)
    if not stat.S_ISREG(seen.st_mode):
        return None
    return FoundFile(path=path, stamp=(seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns))
