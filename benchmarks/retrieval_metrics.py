"""Retrieval measures side by side, from the lists and dictionaries a user holds.

    python -m benchmarks.retrieval_metrics [--queries 100000]

100,000 queries, 20 retrieved documents each, 10 judged documents each with grades 0 to 3. Every
library starts from the same Python objects (a list of ids and a dictionary of grades for each
query), so its time includes bringing them into its own form, and all compute the same nine
measures. The libraries take turns in one process, three rounds, and the best round of each counts;
the cold start is a small job in a fresh process, imports included, its compilation cache warm.

ranx brings the compiler numba and is no dependency: it takes part where it can be imported, so run
this from the project's root with any interpreter that has numpy, pytrec-eval-terrier and ranx.
"""

import argparse
import importlib.util
import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

Rankings = list[list[str]]
Judged = list[dict[str, int]]
Means = dict[str, float]

MEASURES = (
    "precision@5",
    "recall@5",
    "recall@10",
    "hit_rate@5",
    "ndcg@5",
    "ndcg@10",
    "reciprocal_rank",
    "average_precision",
    "precision@10",
)
JOB = 100
"""The queries of the cold-start job."""


def make(queries: int) -> tuple[Rankings, Judged]:
    """The same random rankings and judgements every time; no string object is shared by the two."""
    generator = random.Random(20)
    rankings: Rankings = []
    judged: Judged = []
    for _ in range(queries):
        candidates = generator.sample(range(50_000), 26)
        rankings.append([f"document-{i}" for i in candidates[:20]])
        picked = generator.sample(candidates, 10)
        judged.append({f"document-{i}": generator.choice((0, 1, 2, 3)) for i in picked})
        judged[-1][f"document-{picked[0]}"] = 1
    return rankings, judged


def tailwatch(rankings: Rankings, judged: Judged) -> Means:
    from evaluators.retrieval_measure import Measure, MeasureKind, evaluate_rankings  # noqa: PLC0415 - part of the cold start

    measures = {}
    for name in MEASURES:
        kind, _, k = name.partition("@")
        measures[name] = Measure(kind=MeasureKind(kind), k=int(k) if k else None)
    values = evaluate_rankings(rankings, judged, measures)
    return {name: float(of.mean()) for name, of in values.items()}


def trec_eval(rankings: Rankings, judged: Judged) -> Means:
    import pytrec_eval  # noqa: PLC0415 - part of the cold start

    names = {
        "precision@5": "P_5",
        "precision@10": "P_10",
        "recall@5": "recall_5",
        "recall@10": "recall_10",
        "hit_rate@5": "success_5",
        "ndcg@5": "ndcg_cut_5",
        "ndcg@10": "ndcg_cut_10",
        "reciprocal_rank": "recip_rank",
        "average_precision": "map",
    }
    scores = [float(-rank) for rank in range(max(map(len, rankings)))]
    run = {str(i): dict(zip(ids, scores, strict=False)) for i, ids in enumerate(rankings)}
    qrels = {str(i): grades for i, grades in enumerate(judged)}
    wanted = {"P.5,10", "recall.5,10", "success.5", "ndcg_cut.5,10", "recip_rank", "map"}
    rows = pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run).values()
    return {name: sum(row[key] for row in rows) / len(rows) for name, key in names.items()}


def ranx(rankings: Rankings, judged: Judged) -> Means:
    from ranx import Qrels, Run, evaluate  # noqa: PLC0415 - part of the cold start

    names = {
        "precision@5": "precision@5",
        "precision@10": "precision@10",
        "recall@5": "recall@5",
        "recall@10": "recall@10",
        "hit_rate@5": "hit_rate@5",
        "ndcg@5": "ndcg@5",
        "ndcg@10": "ndcg@10",
        "reciprocal_rank": "mrr",
        "average_precision": "map",
    }
    scores = [float(-rank) for rank in range(max(map(len, rankings)))]
    run = {str(i): dict(zip(ids, scores, strict=False)) for i, ids in enumerate(rankings)}
    qrels = {str(i): grades for i, grades in enumerate(judged)}
    found = evaluate(Qrels(qrels), Run(run), list(names.values()))
    return {name: float(found[key]) for name, key in names.items()}


LIBRARIES: dict[str, Callable[[Rankings, Judged], Means]] = {
    "tailwatch": tailwatch,
    "pytrec_eval": trec_eval,
    "ranx": ranx,
}
MODULES = {"tailwatch": "numpy", "pytrec_eval": "pytrec_eval", "ranx": "ranx"}


def available() -> list[str]:
    """The libraries that can be imported here, ours first."""
    return [name for name, module in MODULES.items() if importlib.util.find_spec(module)]


def cold_start(library: str) -> tuple[float, float]:
    """Seconds and CPU seconds of a 100-query job in a fresh process, the better of two."""
    command = [sys.executable, "-m", "benchmarks.retrieval_metrics", "--cold", library]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    return min(tuple(json.loads(run.stdout.splitlines()[-1])) for run in runs)


def cold_job(library: str) -> None:
    """Prints the seconds and CPU seconds that the small job took, with its imports."""
    rankings, judged = make(JOB)
    start, cpu = time.perf_counter(), time.process_time()
    LIBRARIES[library](rankings, judged)
    print(json.dumps([time.perf_counter() - start, time.process_time() - cpu]))


def compare(queries: int, rounds: int = 3) -> None:
    """Prints the table and its ratios."""
    rankings, judged = make(queries)
    libraries = available()
    seconds: dict[str, float] = dict.fromkeys(libraries, math.inf)
    means: dict[str, Means] = {}
    for _ in range(rounds):
        for library in libraries:
            start = time.perf_counter()
            means[library] = LIBRARIES[library](rankings, judged)
            seconds[library] = min(seconds[library], time.perf_counter() - start)
    ours = libraries[0]
    print(f"{queries:,} queries x 20 documents, {len(MEASURES)} measures, conversion included")
    print(f"{'':<12} {'queries/s':>10} {'times':>7} {'cold start, 100 queries':>26}  largest gap")
    for library in libraries:
        gap = max(abs(means[library][name] - means[ours][name]) for name in MEASURES)
        wall, cpu = cold_start(library)
        print(
            f"{library:<12} {queries / seconds[library]:>10,.0f} "
            f"{seconds[library] / seconds[ours]:>6.1f}x {f'{wall:.2f} s ({cpu:.2f} s CPU)':>26}"
            f"  {gap:.0e}"
        )
    for library in sorted(set(LIBRARIES) - set(libraries)):
        print(f"{library:<12} not measured: it cannot be imported here")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="retrieval measures side by side")
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--cold", choices=LIBRARIES, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.cold:
        cold_job(given.cold)
    else:
        compare(given.queries)


if __name__ == "__main__":
    main()
