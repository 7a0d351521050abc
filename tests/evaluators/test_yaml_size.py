"""Files that stand for more than they say."""

import pytest
import yaml

from evaluators.yaml_size import MOST_NODES, refuse_too_large
from tailwatch.errors import ConfigurationError


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: &x [1, 2]\nb: *x\nc: [*x, *x]",
        "- " * 50 + "1",
        "[" + "1, " * (MOST_NODES // 2) + "1]",
    ],
)
def test_what_people_write_is_fine(text: str) -> None:
    refuse_too_large(yaml.compose(text), "plan.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: &x [1, *x]", "plan.yaml:2: a value holds itself"),
        ("&x {a: {b: *x}}", "holds itself"),
        (
            "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
            + "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
            + "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
            + "e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n",
            "plan.yaml:5: it stands for more than 100,000 values",
        ),
    ],
)
def test_what_stands_for_too_much_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        refuse_too_large(yaml.compose(text), "plan.yaml")
