"""The second judge: for runs in which the first is down, with series of its own."""

from collections.abc import Sequence
from dataclasses import replace

from flows.parts import Parts, PlannedEvaluator
from tailwatch.window import Window


async def with_judge_that_answers(parts: Parts) -> tuple[Parts, str | None]:
    """The parts for this run, and a sentence where they are not the usual ones.

    While the first judge is down its evaluators fail at once, for a later run to make good, and
    those of the second one take part too. Where both are down the first one is asked all the same.
    """
    stand_in = parts.stand_in
    if stand_in is None or not any(p.series.judge == stand_in.first for p in parts.evaluators):
        return parts, None
    failure = await stand_in.first_down()
    if failure is None:
        return parts, None
    both = await stand_in.down()
    if both is not None:
        return parts, (
            f"the judge {stand_in.first} is down ({failure.error_type}), and so is the second one, "
            f"{stand_in.model} ({both.error_type})"
        )
    stand_in.take_over(failure)
    return replace(parts, evaluators=(*parts.evaluators, *stand_in.evaluators)), (
        f"the judge {stand_in.first} is down ({failure.error_type}); {stand_in.model} judged in "
        "its place, in series of its own"
    )


def taking_part(parts: Parts, window: Window) -> Sequence[PlannedEvaluator]:
    """The evaluators of one hour: a stand-in takes hours that the first judge has no score in, and
    keeps to those that it has begun.
    """
    kept = []
    for planned in parts.evaluators:
        if planned.stands_in_for is None:
            kept.append(planned)
            continue
        pair = [planned.series, planned.stands_in_for]
        recorded = parts.store.recorded(parts.source.name, pair, window)
        first = recorded[planned.stands_in_for].values()
        if recorded[planned.series] or not any(outcome.kind == "score" for outcome in first):
            kept.append(planned)
    return kept
