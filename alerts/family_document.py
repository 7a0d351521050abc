"""A family of monitors as plain values for the store, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from alerts.family import Family
from alerts.lines import Line, Lines
from alerts.weights import BucketRates
from tailwatch.alert import Direction, Segment


def document_of(family: Family) -> dict[str, Any]:
    """What `family_of` reads: mappings, lists, numbers and texts only."""
    return {
        "direction": family.direction.value,
        "levels": list(family.levels),
        "partition": family.partition,
        "monitors": [
            {"segment": _key(segment), **_lines_document(lines)}
            for segment, lines in family.monitors.items()
        ],
        "project": _lines_document(family.project),
    }


def family_of(document: Mapping[str, Any]) -> Family:
    """The family whose document it is."""
    direction = Direction(document["direction"])
    return Family(
        direction=direction,
        levels=tuple(document["levels"]),
        partition=document["partition"],
        monitors={
            _segment(each["segment"]): _lines(each, direction) for each in document["monitors"]
        },
        project=_lines(document["project"], direction),
    )


def _lines_document(lines: Lines) -> dict[str, Any]:
    return {
        "cells": [_key(segment) for segment in lines.segments],
        "lines": [
            [None if line is None else _line_document(line) for line in row] for row in lines.lines
        ],
        "usual": lines.usual.tolist(),
        "tolerated": lines.tolerated.tolist(),
        "effect": lines.effect.tolist(),
        "bad": lines.baseline_bad.tolist(),
        "n": lines.baseline_n.tolist(),
    }


def _lines(document: Mapping[str, Any], direction: Direction) -> Lines:
    return Lines(
        segments=tuple(_segment(cell) for cell in document["cells"]),
        lines=tuple(
            tuple(None if line is None else _line(line, direction) for line in row)
            for row in document["lines"]
        ),
        usual=np.array(document["usual"], dtype=np.float64),
        tolerated=np.array(document["tolerated"], dtype=np.float64),
        effect=np.array(document["effect"], dtype=np.float64),
        baseline_bad=np.array(document["bad"], dtype=np.float64),
        baseline_n=np.array(document["n"], dtype=np.float64),
    )


def _line_document(line: Line) -> list[float | bool]:
    rates = [] if line.rates is None else [line.rates.normal, line.rates.flagged]
    return [line.score, line.inclusive, *rates]


def _line(document: list[Any], direction: Direction) -> Line:
    score, inclusive, *rates = document
    return Line(
        score=float(score),
        inclusive=inclusive,
        direction=direction,
        rates=BucketRates(normal=rates[0], flagged=rates[1]) if rates else None,
    )


def _key(segment: Segment) -> list[str]:
    return [segment.field, segment.value]


def _segment(key: list[str]) -> Segment:
    return Segment(field=key[0], value=key[1])
