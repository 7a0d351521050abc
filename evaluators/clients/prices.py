"""What a judge model costs: the plan's own price, or the public list price that ships with us."""

from typing import TYPE_CHECKING

from evaluators.clients.deferred import Deferred
from tailwatch.errors import ConfigurationError
from tailwatch.plan import JudgePlan, PricePlan

if TYPE_CHECKING:
    import genai_prices
    from genai_prices import data_snapshot
else:
    genai_prices = Deferred("genai_prices")
    data_snapshot = Deferred("genai_prices.data_snapshot")

OPENAI_URL = "https://api.openai.com/v1"
"""Where the judge is when no other address is configured."""

FREE = PricePlan(input_usd_per_million=0, output_usd_per_million=0)


def price_of(plan: JudgePlan, *, url: str | None, model: str, prompt_tokens: int) -> PricePlan:
    """USD per million tokens of `model` at `url`, for prompts of at most `prompt_tokens`.

    The plan's `judge.price` wins. Without it, a provider whose address is in the price list is
    charged at list price, at the tier that a prompt of that size falls into; an address that the
    list does not know is taken for an endpoint of your own, which costs nothing per call.
    Raises ConfigurationError for a model that a listed provider is not known to sell.
    """
    if plan.price is not None:
        return plan.price
    try:
        rates = _list_price(model, url or OPENAI_URL, prompt_tokens)
    except LookupError:
        if url is not None and not _is_listed(url):
            return FREE
        raise ConfigurationError(
            f"the price of the judge model {model!r} at {shown(url or OPENAI_URL)} is not known, "
            "so its cost cannot be capped; set judge.price (input_usd_per_million and "
            "output_usd_per_million) in the plan"
        ) from None
    return rates


def cost_usd(price: PricePlan, *, input_tokens: int, output_tokens: int) -> float:
    """What a call with that many tokens costs."""
    return (
        input_tokens * price.input_usd_per_million + output_tokens * price.output_usd_per_million
    ) / 1_000_000


def shown(url: str) -> str:
    """An address as a message may show it: without a user, a password and a query."""
    place = url.partition("?")[0]
    scheme, separator, rest = place.rpartition("//")
    return scheme + separator + rest.rpartition("@")[2]


def _list_price(model: str, url: str, prompt_tokens: int) -> PricePlan:
    """Cost per token of one call of that size, as USD per million. LookupError if not listed."""
    size = max(prompt_tokens, 1)
    cost = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=size, output_tokens=size), model, provider_api_url=url
    )
    return PricePlan(
        input_usd_per_million=float(cost.input_price) / size * 1_000_000,
        output_usd_per_million=float(cost.output_price) / size * 1_000_000,
    )


def _is_listed(url: str) -> bool:
    """Whether the price list knows the provider at `url`, whatever models it sells."""
    try:
        data_snapshot.get_snapshot().find_provider(None, None, url)
    except LookupError:
        return False
    return True
