"""Other ways to add up evidence than the shipped one, on the same streams and the same budget.

    python -m benchmarks.alert_variants [--weeks 100] [--incidents 20] [--volumes 100,50]

Every variant has the monitors, baselines, counts and threshold of the tail-evidence rule (one false
alert in 4 weeks from five monitors) and differs in one thing: the mixture over lines or over
alternatives, the tolerance, the design effect, one likelihood of all lines at once, or bets on how
deep outputs fall below a line. "As shipped" is the same formula computed here, so that all of them
meet the same outputs; `benchmarks.alert_rules` measures the shipped code itself.
"""

import argparse
from collections.abc import Mapping, Sequence

import numpy as np

from alerts.cusum import FURTHER_SHARES
from alerts.rules.tail_evidence import TailEvidence, tail_evidence
from benchmarks.alert_bets import (
    MONITORS,
    SMALLER,
    Bet,
    Depths,
    Seen,
    both,
    counts,
    depth_bet,
    depths_won,
    joint_bet,
    learn_depths,
    lines_bet,
    shrunk_effects,
)
from benchmarks.alert_streams import (
    QUIET,
    REGRESSIONS,
    SEGMENTS,
    STREAMS,
    WEEK_HOURS,
    Floats,
    Random,
    Regression,
    Stream,
    hours,
)
from tailwatch.alert import ALL_TRAFFIC, Direction

TRIAL_WEEKS = 4
CHANGE, FOLLOWED = 24, 96
SHOWN = tuple(each for each in REGRESSIONS if each.name != "ramp")
SIX = (0.01, 0.02, 0.05, 0.1, 0.25, 0.4)
FINE = (0.01, 0.02, 0.035, 0.05, 0.1, 0.15, 0.25, 0.4)


def rule(**options: object) -> TailEvidence:
    """The shipped rule with other options."""
    made = tail_evidence("tail_evidence", options)
    if not isinstance(made, TailEvidence):
        raise TypeError(f"tail_evidence made a {type(made).__name__}")
    return made


RULES = {
    "shipped": rule(),
    "5 %": rule(tolerance=0.05),
    "0": rule(tolerance=0.0),
    "six": rule(levels=SIX),
    "eight": rule(levels=FINE),
    "eight, 5 %": rule(levels=FINE, tolerance=0.05),
}
ALERT_AT = RULES["shipped"].budget(MONITORS).alert_at
EVEN = (0.25, 0.25, 0.25, 0.25)
HALVES = ((0.5, 0.5, 0.0, 0.0), (0.0, 0.0, 0.5, 0.5))
VARIANTS: Mapping[str, Bet] = {
    "as shipped": lines_bet(),
    "alternatives from 1.5 % on": lines_bet(further=SMALLER),
    "three alternatives (3, 12, 50 %)": lines_bet(further=(0.03, 0.12, 0.5)),
    "2 % and 5 % lines three times the weight": lines_bet(weights=(3, 3, 1, 1)),
    "six lines": lines_bet("six"),
    "eight lines": lines_bet("eight"),
    "eight lines, tolerance 5 %": lines_bet("eight, 5 %"),
    "tolerance 5 %": lines_bet("5 %"),
    "tolerance 0": lines_bet("0"),
    "design effect less one error": lines_bet(shrunk=True),
    "one likelihood of the four lines": joint_bet(shapes=(EVEN,)),
    "two: of the lower and the upper lines": joint_bet(shapes=HALVES),
    "the four lines and the joint one": both(lines_bet(), joint_bet(shapes=(EVEN,))),
    "one likelihood of eight lines": joint_bet("eight", shapes=((1 / 8,) * 8,)),
    "depth below the lowest quarter": depth_bet,
    "the four lines and depth": both(lines_bet(further=FURTHER_SHARES), depth_bet),
}


def main() -> None:
    """Prints a table for each volume."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=100, help="quiet weeks of each stream")
    parser.add_argument("--incidents", type=int, default=20, help="of each kind, for each stream")
    parser.add_argument("--volumes", default="100,50")
    parser.add_argument("--streams", default=",".join(stream.name for stream in STREAMS))
    asked = parser.parse_args()
    streams = [stream for stream in STREAMS if stream.name in asked.streams.split(",")]
    for per_hour in (int(text) for text in asked.volumes.split(",")):
        found = [measure(stream, per_hour, asked.weeks, asked.incidents) for stream in streams]
        print_table(per_hour, streams, found)


def measure(
    stream: Stream, per_hour: int, weeks: int, incidents: int
) -> dict[str, tuple[float, ...]]:
    """By variant: false alerts a week, and the median hours to each of the regressions."""
    random = np.random.default_rng([77, per_hour, sum(stream.name.encode())])
    trials = max(1, weeks // TRIAL_WEEKS)
    bases = [learn(stream, per_hour, random) for _ in range(max(trials, incidents))]
    quiet = [
        follow(base, stream, per_hour, random, TRIAL_WEEKS * WEEK_HOURS) for base in bases[:trials]
    ]
    worse = [
        [
            follow(base, stream, per_hour, random, CHANGE + FOLLOWED, regression)
            for base in bases[:incidents]
        ]
        for regression in SHOWN
    ]
    found = {}
    for name, bet in VARIANTS.items():
        alarms = alerts([bet(seen) for seen in quiet])
        delays = [first_alerts(alerts([bet(seen) for seen in runs])) for runs in worse]
        found[name] = (alarms.sum() / (trials * TRIAL_WEEKS), *map(float, map(np.median, delays)))
    return found


def learn(stream: Stream, per_hour: int, random: Random) -> tuple[Seen, Depths]:
    """What a quiet week teaches; the counts are its own."""
    week = list(hours(stream, per_hour, random, 0, WEEK_HOURS))
    cells = {s: [hour[s] for hour in week if s in hour] for s in (ALL_TRAFFIC, *SEGMENTS)}
    families = {}
    for name, each in RULES.items():
        family = each.learn(cells, Direction.HIGHER_IS_BETTER)
        if family is None:
            raise ValueError(f"{per_hour} outputs an hour are too few")
        families[name] = family
    bad, n = counts(families["shipped"], week)
    depths = learn_depths(week)
    return (
        Seen(
            families=families,
            shrunk=shrunk_effects(families["shipped"], bad, n),
            depth_effect=depths.effect,
            n=n,
            bad={"shipped": bad},
            won=np.zeros(0),
        ),
        depths,
    )


def follow(
    base: tuple[Seen, Depths],
    stream: Stream,
    per_hour: int,
    random: Random,
    count: int,
    regression: Regression = QUIET,
) -> Seen:
    """The hours after a baseline."""
    seen, depths = base
    made = list(hours(stream, per_hour, random, WEEK_HOURS, count, regression, CHANGE))
    counted = {name: counts(family, made) for name, family in seen.families.items()}
    return Seen(
        families=seen.families,
        shrunk=seen.shrunk,
        depth_effect=seen.depth_effect,
        n=counted["shipped"][1],
        bad={name: bad for name, (bad, _) in counted.items()},
        won=depths_won(depths, made),
    )


def alerts(logs: Sequence[Floats]) -> Floats:
    """Whether a trial raises an alert in an hour (trials x hours); then evidence starts anew."""
    log_m = np.full((len(logs), *logs[0].shape[1:]), -np.inf)
    found = np.zeros((len(logs), len(logs[0])))
    for hour, now in enumerate(np.stack(logs, axis=1)):
        log_m = np.logaddexp(log_m, 0.0) + now
        evidence = np.logaddexp.reduce(log_m, axis=2) - np.log(log_m.shape[2])
        alarmed = (evidence >= np.log(ALERT_AT)).any(axis=1)
        found[:, hour] = alarmed
        log_m[alarmed] = -np.inf
    return found


def first_alerts(alarms: Floats) -> Floats:
    """The hours from the change to the first alert of each trial; one more than followed: none."""
    after = alarms[:, CHANGE:] > 0
    return np.where(after.any(axis=1), after.argmax(axis=1) + 1, FOLLOWED + 1)


def print_table(
    per_hour: int, streams: Sequence[Stream], found: Sequence[Mapping[str, tuple[float, ...]]]
) -> None:
    """False alerts a week (mean, worst stream), the mean over streams of the median hours, and
    the median hours to 5 % bad for each stream.
    """
    names = [f"{each.name}" for each in SHOWN]
    print(
        f"\n{per_hour} outputs an hour; streams: {', '.join(stream.name for stream in streams)}\n"
    )
    print(f"| variant | FA/week | {' | '.join(names)} | 5 % by stream | step by stream |")
    print("|---" * (len(names) + 4) + "|")
    for variant in VARIANTS:
        rows = np.array([each[variant] for each in found])
        means = " | ".join(f"{value:.1f}" for value in rows[:, 1:].mean(axis=0))
        print(
            f"| {variant} | {rows[:, 0].mean():.3f} ({rows[:, 0].max():.2f}) | {means} "
            f"| {' '.join(f'{v:.0f}' for v in rows[:, 1])} "
            f"| {' '.join(f'{v:.0f}' for v in rows[:, 3])} |"
        )


if __name__ == "__main__":
    main()
