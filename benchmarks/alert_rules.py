"""False alarms and delays of the tail-evidence rule beside the thresholds that people set.

    python -m benchmarks.alert_rules [--quick] [--weeks 400] [--incidents 100] [--jobs 2]

Seven kinds of streams (see `benchmarks.alert_streams`) at 50, 100, 200 and 500 outputs an hour, and
two of them at 2 to 20. The rule is the shipped one: baseline, lines, counts, evidence and incidents
are computed by the code that the hourly check runs; `benchmarks.alert_store` shows that going
through a store changes nothing. 400 weeks with 100 incidents of each kind take about an hour on
two cores, `--quick` two minutes.
"""

import argparse
import json
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.alert_streams import REGRESSIONS, STREAMS
from benchmarks.alert_trials import (
    ENDING,
    FAMILY,
    FOLLOWED,
    INCIDENT,
    MEAN_DAY,
    MEAN_TUNED,
    P10_HOUR,
    RULES,
    Measured,
    measure,
)

VOLUMES = (100, 50, 200, 500)
SMALL = (2, 5, 10, 20)
SMALL_STREAMS = ("Beta", "5-level judge")
MISSED = 169
AFTER_END = FOLLOWED - INCIDENT
BY_STREAM = (P10_HOUR, MEAN_DAY, MEAN_TUNED, FAMILY)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=400, help="quiet weeks of each stream")
    parser.add_argument("--incidents", type=int, default=100, help="of each kind, for each stream")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--volumes", default=",".join(map(str, VOLUMES)))
    parser.add_argument("--small", default=",".join(map(str, SMALL)), help="small volumes, or none")
    parser.add_argument("--results", type=Path, help="keeps what is done, to go on after a stop")
    parser.add_argument("--quick", action="store_true", help="8 weeks, 4 incidents, 100 an hour")
    asked = parser.parse_args()
    weeks, incidents = (8, 4) if asked.quick else (asked.weeks, asked.incidents)
    volumes = [100] if asked.quick else [int(text) for text in asked.volumes.split(",")]
    small = [] if asked.quick else [int(text) for text in asked.small.split(",") if text]
    units = [(number, n) for n in volumes for number in range(len(STREAMS))]
    units += [
        (number, n)
        for number, stream in enumerate(STREAMS)
        for n in small
        if stream.name in SMALL_STREAMS
    ]
    begun = time.perf_counter()
    with ProcessPoolExecutor(asked.jobs) as pool:
        kept = _kept(asked.results, weeks, incidents)
        seen = [each for each in kept if _unit_of(each) in units]
        units = [unit for unit in units if unit not in {_unit_of(each) for each in seen}]
        for each in pool.map(partial(_unit, weeks=weeks, incidents=incidents), units):
            seen.append(each)
            _keep(asked.results, each, weeks, incidents)
    print(
        f"{weeks} quiet weeks and {incidents} incidents of each kind for each of {len(seen)} "
        f"streams; {(time.perf_counter() - begun) / 60:.0f} minutes\n"
    )
    large = [each for each in seen if each.per_hour in volumes]
    print_by_volume(large)
    print_by_stream([each for each in large if each.per_hour == 100])
    print_recovery(large)
    if small:
        print_small([each for each in seen if each.per_hour in small])


def _unit(unit: tuple[int, int], weeks: int, incidents: int) -> Measured:
    number, per_hour = unit
    return measure(STREAMS[number], per_hour, weeks, incidents)


def _unit_of(each: Measured) -> tuple[int, int]:
    return [stream.name for stream in STREAMS].index(each.stream), each.per_hour


def _kept(results: Path | None, weeks: int, incidents: int) -> list[Measured]:
    """What an earlier run with the same numbers has done."""
    if results is None or not results.exists():
        return []
    records = [json.loads(line) for line in results.read_text().splitlines()]
    return [Measured(**r["seen"]) for r in records if r["asked"] == [weeks, incidents]]


def _keep(results: Path | None, seen: Measured, weeks: int, incidents: int) -> None:
    if results is not None:
        with results.open("a") as out:
            out.write(json.dumps({"asked": [weeks, incidents], "seen": asdict(seen)}) + "\n")


def print_by_volume(seen: Sequence[Measured]) -> None:
    """False alerts a week (mean, worst stream) and the median over streams of median delays."""
    names = [regression.name for regression in REGRESSIONS]
    print(f"| N/h | rule | FA/week | {' | '.join(names)} | missed in 168 h |")
    print("|---" * (len(names) + 4) + "|")
    for n in sorted({each.per_hour for each in seen}):
        here = [each for each in seen if each.per_hour == n]
        for rule in RULES:
            rates = [each.false_alarms[rule] / each.weeks for each in here]
            cells = [
                _hours(float(np.median([_median(each.delays[name][rule]) for each in here])))
                for name in names
            ]
            print(
                f"| {n} | {rule} | {np.mean(rates):.3f} ({max(rates):.2f}) | {' | '.join(cells)} "
                f"| {_misses(here, rule)} |"
            )
    total, weeks = sum(e.false_alarms[FAMILY] for e in seen), sum(e.weeks for e in seen)
    print(f"\nThe default rule: {total} false alerts in {weeks:,} quiet weeks.\n")


def print_by_stream(seen: Sequence[Measured]) -> None:
    """Each stream at 100 outputs an hour: false alerts a week; hours to 5 % bad; to 10 % bad."""
    print(f"| stream, 100 an hour | {' | '.join(BY_STREAM)} |")
    print("|---" * (len(BY_STREAM) + 1) + "|")
    for each in sorted(seen, key=lambda each: _unit_of(each)):
        cells = [
            f"{each.false_alarms[rule] / each.weeks:.2f}; "
            f"{_median_p90(each.delays['5 %'][rule])}; {_hours(_median(each.delays['10 %'][rule]))}"
            for rule in BY_STREAM
        ]
        print(f"| {each.stream} (6 h mean by {each.tuned_by:.3f}) | {' | '.join(cells)} |")
    print()


def print_recovery(seen: Sequence[Measured]) -> None:
    """How well incidents are dated and ended by the default rule."""
    print(
        "| N/h | incident | onset within 2 h | resolved after | all traffic alone "
        "| reopened an incident |"
    )
    print("|---|---|---|---|---|---|")
    for n in sorted({each.per_hour for each in seen}):
        here = [each for each in seen if each.per_hour == n]
        for name, ending in zip(("5 %", "10 %"), ENDING, strict=True):
            errors = [error for each in here for error in each.onset_errors[name]]
            ended = [hours for each in here for hours in each.resolved[ending.name]]
            alone = [hours for each in here for hours in each.resolved_alone[ending.name]]
            again = sum(each.reopened[ending.name] for each in here)
            print(
                f"| {n} | {ending.name} | {np.mean([error <= 2 for error in errors]):.0%} "
                f"| {_median_p90(ended, AFTER_END)} h | {_median_p90(alone, AFTER_END)} h "
                f"| {again / max(1, len(ended)):.3f} |"
            )
    kept_open = [stays for each in seen for stays in each.left_open]
    print(
        f"\nOf {len(kept_open)} incidents that ended but for 30 % bad in one segment "
        f"{np.mean(kept_open):.1%} stayed open.\n"
    )


def print_small(seen: Sequence[Measured]) -> None:
    """Few outputs an hour under the default rule."""
    print("| stream | N/h | FA/week | P10 FA/week | 10 % bad | 30 % bad in a segment |")
    print("|---|---|---|---|---|---|")
    for each in sorted(seen, key=lambda each: (each.stream, each.per_hour)):
        rates = [each.false_alarms[rule] / each.weeks for rule in (FAMILY, P10_HOUR)]
        delays = [_median_p90(each.delays[name][FAMILY]) for name in ("10 %", "seg")]
        print(
            f"| {each.stream} | {each.per_hour} | {rates[0]:.3f} | {rates[1]:.1f} "
            f"| {delays[0]} | {delays[1]} |"
        )


def _misses(seen: Iterable[Measured], rule: str) -> str:
    shares: dict[str, list[bool]] = {}
    for each in seen:
        for name, by_rule in each.delays.items():
            shares.setdefault(name, []).extend(hours is None for hours in by_rule[rule])
    missed = [f"{np.mean(m):.0%} of {name}" for name, m in shares.items() if np.mean(m) >= 0.005]
    return ", ".join(missed) or "none"


def _median(delays: Sequence[int | None]) -> float:
    return float(np.median([MISSED if d is None else d for d in delays])) if delays else MISSED


def _median_p90(delays: Sequence[int | None], most: int = MISSED - 1) -> str:
    known = [most + 1 if d is None else d for d in delays]
    if not known:
        return "-"
    p90 = float(np.quantile(known, 0.9, method="higher"))
    return f"{_hours(float(np.median(known)), most)}/{_hours(p90, most)}"


def _hours(value: float, most: int = MISSED - 1) -> str:
    return f">{most}" if value > most else f"{value:.0f}"


if __name__ == "__main__":
    main()
