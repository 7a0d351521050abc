"""Names lead to evaluators; wrong names and parameters to a message that says what is accepted."""

import importlib
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from evaluators.index import EVALUATORS, build_evaluator, packaged_rubrics
from tailwatch import loading
from tailwatch.errors import ConfigurationError, UnknownNameError
from tailwatch.plan import EvaluatorPlan
from tailwatch.protocols import Evaluator, EvaluatorTools

TOOLS = EvaluatorTools()


@pytest.mark.parametrize("target", sorted(set(EVALUATORS.values())))
def test_every_entry_names_a_factory(target: str) -> None:
    module, _, factory = target.partition(":")
    assert callable(getattr(importlib.import_module(module), factory))


@pytest.mark.parametrize("name", ["ndcg@10", "reciprocal_rank", "reciprocal_rank@3", "token_f1"])
def test_the_evaluator_keeps_the_name_of_the_plan(name: str) -> None:
    evaluator = build_evaluator(EvaluatorPlan(use=name), TOOLS)
    assert isinstance(evaluator, Evaluator)
    assert evaluator.name == name


@pytest.mark.parametrize("name", sorted(packaged_rubrics()))
def test_a_packaged_rubric_is_an_evaluator(name: str) -> None:
    assert build_evaluator(EvaluatorPlan(use=name), TOOLS).name == name


@pytest.mark.parametrize("name", ["precison@5", "ndcg", "token_f1@3", ""])
def test_an_unknown_name_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        build_evaluator(EvaluatorPlan(use=name), TOOLS)
    assert {*EVALUATORS, *packaged_rubrics()} <= set(error.value.known)


@pytest.mark.parametrize("name", ["precision@0", "ndcg@ten", "recall@-1", "hit_rate@", "ndcg@1.5"])
def test_a_wrong_parameter_is_told_what_is_accepted(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"whole number.*@10"):
        build_evaluator(EvaluatorPlan(use=name), TOOLS)


def test_a_plug_in_that_makes_no_evaluator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(*, group: str) -> EntryPoints:
        return EntryPoints([EntryPoint("mine", "tests.evaluators.test_index:make_nothing", group)])

    monkeypatch.setattr(loading, "entry_points", installed)
    with pytest.raises(ConfigurationError, match="made a str, no evaluator"):
        build_evaluator(EvaluatorPlan(use="mine"), TOOLS)


def make_nothing(*_: object) -> str:
    return "nothing"


def test_importing_the_index_imports_no_evaluator() -> None:
    heavy = "{'numpy', 'openai', 'torch', 'yaml', 'evaluators.retrieval'}"
    code = f"import sys, evaluators.index; print({heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
