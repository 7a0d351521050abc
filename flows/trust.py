"""How far a judge's scores can be believed, as it is said wherever they are shown."""

from collections.abc import Collection, Iterable, Mapping

from alerts.incidents import monitors_of
from alerts.judge_card import UNVALIDATED, card_of, headline
from evaluators.prompt_hash import prompt_hash
from flows.canary import judged_series
from flows.parts import Parts
from storage.review_records import ValidationRecord
from tailwatch.alert import Alert
from tailwatch.coverage import Coverage
from tailwatch.evaluation import Series
from tailwatch.printable import printable

_NAME_CHARS = 80


def newest_validations(parts: Parts) -> Mapping[Series, ValidationRecord | None]:
    """For each series of a judge, its newest validation under the prompt of today; None without.

    Another judge model or rubric version is another series; another text of the same version has
    another prompt hash. Neither inherits a validation.
    """
    judged = judged_series(parts)
    found: dict[Series, ValidationRecord | None] = dict.fromkeys(judged)
    if not judged:
        return found
    hashes = {series: prompt_hash(evaluator) for series, evaluator in judged.items()}
    for record in parts.store.validations(parts.source.name):
        series = record.series
        if found.get(series) is None and record.prompt_hash == hashes.get(series):
            found[series] = record
    return found


def trust(parts: Parts) -> dict[Series, str]:
    """For each series of a judge `unvalidated` or `AUROC 0.81 (0.74-0.87), n 200`."""
    return {
        series: UNVALIDATED if record is None else headline(card_of(record.card))
        for series, record in newest_validations(parts).items()
    }


def trust_lines(parts: Parts, series: Collection[Series]) -> list[str]:
    """The same for some series, a line for each that a judge gives."""
    return [
        f"Validation of {printable(str(each), _NAME_CHARS)}: {said}"
        for each, said in trust(parts).items()
        if each in series
    ]


def trust_note(parts: Parts, series: Collection[Series]) -> list[str]:
    """The same for a note in markdown, with a heading; names are code, so that none can format."""
    lines = trust_lines(parts, series)
    if not lines:
        return []
    code = ["- `{}`".format(line.replace("`", "'")) for line in lines]
    return ["How far the judges can be believed (`tailwatch judge validate`):", "", *code, ""]


def run_trust(parts: Parts, covered: Iterable[Coverage]) -> list[str]:
    """The same for the judges of a run: the plan's, and a second one that stood in."""
    return trust_note(
        parts, {planned.series for planned in parts.evaluators} | {c.series for c in covered}
    )


def alert_trust(parts: Parts, alert: Alert) -> list[str]:
    """The same for the series that take part in an alert."""
    return trust_lines(parts, series_behind(alert))


def series_behind(alert: Alert) -> set[Series]:
    """The series that take part in an alert."""
    return {alert.series, *(each.series for each in monitors_of(alert))}
