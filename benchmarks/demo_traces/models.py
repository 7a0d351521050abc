"""The two invented models: how they write, how fast, and what their tokens cost."""

from dataclasses import dataclass, replace

from benchmarks.demo_traces.answers import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Prices are USD for a million tokens, times milliseconds."""

    style: Style
    input_price: float
    output_price: float
    first_token_ms: float
    token_ms: float

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        dollars = input_tokens * self.input_price + output_tokens * self.output_price
        return round(dollars / 1e6, 7)

    @property
    def verbose_style(self) -> Style:
        """The same manner of writing, at more than twice the length."""
        fewest, most = self.style.sentences
        return replace(self.style, sentences=(2 * fewest + 2, 2 * most + 3))


MODELS = {
    "marten-small": Model(
        style=Style(reword=0.45, opener=0.4, link=0.2, aside=0.22, closer=0.4, sentences=(3, 4)),
        input_price=0.4,
        output_price=3.0,
        first_token_ms=380,
        token_ms=8,
    ),
    "marten-large": Model(
        style=Style(reword=0.5, opener=0.35, link=0.3, aside=0.28, closer=0.35, sentences=(3, 5)),
        input_price=1.4,
        output_price=19.8,
        first_token_ms=610,
        token_ms=15,
    ),
}


def tokens(text: str) -> int:
    """About how many tokens a text has: one for four characters, at least one."""
    return max(1, round(len(text) / 4))
