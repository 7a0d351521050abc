"""The part of the plan about judges: which models, and what they may cost."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from tailwatch.judge_calls import Caps
from tailwatch.plan_values import Duration, PlanModel

BATCH_PRICE_SHARE = 0.5
"""What providers ask for a call in a batch, of its list price."""

MOST_USD = 1_000_000
"""More than anyone means to spend on a judge; the books count exactly up to nine times as much."""


class PricePlan(PlanModel):
    """The price of your own judge endpoint, in USD for a million tokens."""

    input_usd_per_million: float = Field(ge=0)
    output_usd_per_million: float = Field(ge=0)


class SecondJudgePlan(PlanModel):
    """The model that judges in series of its own while the first one is down for a whole run.

    It may spend what the first one may, both together. The first one is asked again after
    `patience` before it counts as down.
    """

    model: str
    price: PricePlan | None = None
    patience: Duration = timedelta(seconds=10)


class JudgePlan(PlanModel):
    """The model that answers the rubrics, and what may be spent on it.

    Each cap is a hard one: the worst case of each call is reserved before it is made.
    `max_cost_usd` is that of a run, `max_cost_usd_per_day` that of all runs of a UTC day, and
    `max_cost_usd_of` that of a rubric, by its name, in a run. A verdict on exactly the same
    question is used again for as long as `reuse`; 0 asks again. Questions in batches cost
    `batch_price_share` of the list price; a backfill with more than `batch_over` questions goes in
    batches by itself, where that is set. One that may cost more than `ask_above_usd` asks first.

    At most `concurrency` calls are open at once, fewer while the endpoint refuses calls or answers
    late; `requests_per_minute` and `tokens_per_minute` are what this process asks for at the most.
    """

    model: str
    max_cost_usd: float = Field(default=1.0, gt=0, le=MOST_USD)
    max_cost_usd_per_day: float | None = Field(default=None, gt=0, le=MOST_USD)
    max_cost_usd_of: Mapping[str, Annotated[float, Field(gt=0, le=MOST_USD)]] = Field(
        default_factory=dict
    )
    reuse: Duration = timedelta(days=30)
    batch_price_share: float = Field(default=BATCH_PRICE_SHARE, gt=0, le=1)
    batch_over: int | None = Field(default=None, ge=0)
    ask_above_usd: float = Field(default=1.0, ge=0, le=MOST_USD)
    concurrency: int = Field(default=16, ge=1, le=1024)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    timeout: Duration = timedelta(seconds=60)
    max_material_chars: int = Field(default=24_000, ge=500)
    price: PricePlan | None = None
    second: SecondJudgePlan | None = None

    @property
    def caps(self) -> Caps:
        return Caps(
            run_usd=self.max_cost_usd,
            day_usd=self.max_cost_usd_per_day,
            evaluator_usd=self.max_cost_usd_of,
        )
