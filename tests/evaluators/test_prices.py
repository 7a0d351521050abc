import pytest

from evaluators.clients.prices import FREE, cost_usd, price_of, shown
from tailwatch.errors import ConfigurationError
from tailwatch.plan import JudgePlan, PricePlan

OWN = PricePlan(input_usd_per_million=7, output_usd_per_million=9)
LOOPBACK = "http://127.0.0.1:8080/v1"


@pytest.mark.parametrize(
    ("url", "model", "own", "expected"),
    [
        (None, "gpt-4o-mini", None, (0.15, 0.6)),
        (None, "gpt-4o-mini-2024-07-18", None, (0.15, 0.6)),
        ("https://api.openai.com/v1", "gpt-4o-mini", None, (0.15, 0.6)),
        (None, "gpt-4o-mini", OWN, (7, 9)),
        (None, "unheard-of", OWN, (7, 9)),
        (LOOPBACK, "unheard-of", None, (0, 0)),
        (LOOPBACK, "gpt-4o-mini", OWN, (7, 9)),
    ],
)
def test_the_plans_price_wins_then_the_list_and_own_endpoints_are_free(
    url: str | None, model: str, own: PricePlan | None, expected: tuple[float, float]
) -> None:
    price = price_of(JudgePlan(model=model, price=own), url=url, model=model, prompt_tokens=9000)
    assert (price.input_usd_per_million, price.output_usd_per_million) == pytest.approx(expected)


@pytest.mark.parametrize(
    "url", [None, "https://api.openai.com/v1", "https://api.groq.com/openai/v1"]
)
def test_a_listed_provider_never_counts_as_free(url: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"'unheard-of'.*set judge\.price"):
        price_of(JudgePlan(model="unheard-of"), url=url, model="unheard-of", prompt_tokens=9000)


def test_cost_is_linear_in_both_token_counts() -> None:
    assert cost_usd(OWN, input_tokens=2_000_000, output_tokens=1_000_000) == pytest.approx(23)
    assert cost_usd(FREE, input_tokens=10**9, output_tokens=10**9) == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:pass@api.groq.com/v1?key=secret", "https://api.groq.com/v1"),
        ("me:pass@localhost:80/v1", "localhost:80/v1"),
        ("http://localhost:80/v1", "http://localhost:80/v1"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, expected: str) -> None:
    assert shown(url) == expected
