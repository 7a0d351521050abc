"""Rubric files: their faults are explained, and a change of one is a change of its version."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluators.clients.judge_dialect import Dialect
from evaluators.index import packaged_rubrics
from evaluators.material import Section, render
from evaluators.rubric_file import Rubric, Scope, load_rubric
from tailwatch.errors import ConfigurationError
from tailwatch.protocols import JudgeQuestion

PINS = Path(__file__).parents[2] / "evaluators" / "rubrics" / "versions.json"

VALID: Mapping[str, Any] = {
    "name": "tone",
    "version": 1,
    "description": "Whether it is polite.",
    "needs": ["output"],
    "instructions": "Is the answer polite?",
    "choices": [
        {"label": "polite", "score": 1, "description": "it is"},
        {"label": "rude", "score": 0, "description": "it is not"},
    ],
}


def test_there_are_the_four_rubrics_and_each_is_named_as_its_file() -> None:
    rubrics = {path.stem: load_rubric(path) for path in packaged_rubrics().values()}
    assert set(rubrics) == {"faithfulness", "answer_relevance", "refusal", "document_relevance"}
    assert all(rubric.name == stem for stem, rubric in rubrics.items())
    assert [name for name, r in rubrics.items() if r.scope is Scope.DOCUMENT] == [
        "document_relevance"
    ]
    relevance = rubrics["document_relevance"]
    assert {label: relevance.grade_of(label) for label in relevance.labels} == {
        "answers": 2,
        "helps": 1,
        "useless": 0,
    }


def fingerprint(rubric: Rubric) -> str:
    """A hash of what decides a score: all that is sent for a fixed trace, and the choices' worth.

    It covers the frame around the texts and the form of the answer, which every rubric shares.
    """
    material = render(
        [Section(name=need, text=f"some {need}") for need in rubric.needs], 10_000, None
    )
    question = JudgeQuestion(
        instructions=rubric.prompt,
        material=material.text,
        choices=rubric.labels,
        max_output_tokens=rubric.max_output_tokens,
    )
    scores = [(choice.label, choice.score) for choice in rubric.choices]
    deciding = [Dialect().body("model", question), scores, rubric.direction, rubric.scope]
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("path", packaged_rubrics().values(), ids=lambda path: path.stem)
def test_a_rubric_does_not_change_without_its_version(path: Path) -> None:
    rubric = load_rubric(path)
    pinned = json.loads(PINS.read_text())[rubric.name].get(rubric.version)
    now = fingerprint(rubric)
    assert pinned == now, (
        f"what a judge is asked by {path.name} is not what version {rubric.version!r} asked, so "
        "its scores would be mixed with others in one series. Raise `version` in that file (in all "
        f'of them if the frame changed) and add "<the new version>": "{now}" to {PINS.name}; never '
        "change a line that is there"
    )


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in VALID.items() if name != key}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (without("version"), "version: Field required"),
        ({**VALID, "name": "Tone!"}, "name: String should match"),
        ({**VALID, "needs": ["answer"]}, "'input', 'output', 'documents' or 'reference'"),
        ({**VALID, "needs": []}, "needs"),
        ({**VALID, "scope": "span"}, "scope"),
        ({**VALID, "scope": "document"}, "must list `documents`"),
        ({**VALID, "instructions": "  "}, "instructions"),
        ({**VALID, "temper": 1}, "temper: Extra inputs"),
        ({**VALID, "temperature": 3}, "temperature: Input should be less than or equal to 2"),
        ({**VALID, "choices": VALID["choices"][:1]}, "choices"),
        ({**VALID, "choices": [{**VALID["choices"][0], "score": 2}]}, "choices.0.score"),
        (
            {**VALID, "choices": [{**c, "score": 1} for c in VALID["choices"]]},
            "all choices have the same score",
        ),
        (
            {**VALID, "choices": [*VALID["choices"], {**VALID["choices"][0], "label": "POLITE"}]},
            "the same label",
        ),
        ("just text", "must hold the fields name, version"),
        (None, "must hold the fields"),
    ],
)
def test_a_wrong_rubric_is_explained_with_its_file(
    tmp_path: Path, content: object, said: str
) -> None:
    path = tmp_path / "tone.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError) as caught:
        load_rubric(path)
    assert said in str(caught.value)
    assert "tone.yaml" in str(caught.value)


@pytest.mark.parametrize("content", [b"choices: [", b"\xff\xfe\x00", None])
def test_what_cannot_be_read_is_a_configuration_error(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "tone.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"tone\.yaml"):
        load_rubric(path)


def test_a_number_may_be_written_as_the_version() -> None:
    assert Rubric.model_validate(VALID).version == "1"
