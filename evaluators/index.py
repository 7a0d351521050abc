"""Every evaluator by name, and the way from a line of the plan to an evaluator that runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from evaluators.options import refuse_parameter
from tailwatch.errors import ConfigurationError
from tailwatch.loading import load, split_parameter
from tailwatch.plan import EvaluatorPlan
from tailwatch.protocols import Evaluator, EvaluatorTools

EVALUATORS: Final[Mapping[str, str]] = {
    "precision@k": "evaluators.retrieval:precision",
    "recall@k": "evaluators.retrieval:recall",
    "hit_rate@k": "evaluators.retrieval:hit_rate",
    "ndcg@k": "evaluators.retrieval:ndcg",
    "reciprocal_rank": "evaluators.retrieval:reciprocal_rank",
    "reciprocal_rank@k": "evaluators.retrieval:reciprocal_rank",
    "average_precision": "evaluators.retrieval:average_precision",
    "average_precision@k": "evaluators.retrieval:average_precision",
    "reference_recall": "evaluators.reference:reference_recall",
    "token_f1": "evaluators.reference:token_f1",
    "lexical_support": "evaluators.lexical_support:lexical_support",
    "embedding_similarity": "evaluators.embedding_similarity:embedding_similarity",
    "embedding_grounding": "evaluators.embedding_grounding:embedding_grounding",
}
"""Name -> `module:factory`, each an `EvaluatorFactory`. Nothing is imported until it is asked for.

A name that ends in `@k` stands for the whole family: `precision@5`, `precision@10`.
"""

GROUP: Final = "tailwatch.evaluators"
"""The entry-point group through which another package offers evaluators."""

RUBRICS: Final = Path(__file__).parent / "rubrics"
RUBRIC_FACTORY: Final = "evaluators.rubric:rubric_evaluator"
"""Called with a rubric file's path, the options and the tools; makes a judge of it."""


def packaged_rubrics() -> dict[str, Path]:
    """The rubric files that come with tailwatch, by evaluator name."""
    return {path.stem: path for path in sorted(RUBRICS.glob("*.yaml"))}


def build_evaluator(plan: EvaluatorPlan, tools: EvaluatorTools) -> Evaluator:
    """The evaluator that a line of the plan asks for.

    `use` is looked up in the index, then among the packaged rubrics, then among the installed
    plug-ins; `rubric` is the path of a rubric file of the user's own. Raises UnknownNameError for a
    name that none of them has, ConfigurationError for a parameter or an option it does not accept.
    """
    if plan.use is None:
        return _from_rubric(Path(plan.rubric or ""), plan, tools)
    family, parameter = split_parameter(plan.use)
    rubrics = packaged_rubrics()
    if family not in EVALUATORS and family in rubrics:
        refuse_parameter(family, parameter)
        return _from_rubric(rubrics[family], plan, tools)
    index = dict.fromkeys(rubrics, RUBRIC_FACTORY) | dict(EVALUATORS)
    evaluator = load("evaluator", family, index, GROUP)(parameter, plan.options, tools)
    if not isinstance(evaluator, Evaluator):
        raise ConfigurationError(
            f"the plug-in for {plan.use!r} made a {type(evaluator).__name__}, no evaluator; "
            "it needs name, version, judge, direction, scale, batch_size and evaluate"
        )
    return evaluator


def _from_rubric(path: Path, plan: EvaluatorPlan, tools: EvaluatorTools) -> Evaluator:
    factory = load("rubric factory", "rubric", {"rubric": RUBRIC_FACTORY}, GROUP)
    evaluator: Evaluator = factory(path, plan.options, tools)
    return evaluator
