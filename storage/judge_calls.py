"""The books of all judge calls: reserved before they are made, settled after them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select

from storage.connected import Connected
from storage.judge_tables import JUDGE_VERDICTS
from tailwatch.judge_calls import KnownVerdict
from tailwatch.outcome import Usage
from tailwatch.protocols import Verdict


class JudgeCalls(Connected):
    def known_verdicts(
        self, question_keys: Sequence[str], since: datetime
    ) -> Mapping[str, KnownVerdict]:
        """The newest verdict for each of the keys that has one from `since` on."""
        columns = JUDGE_VERDICTS.c
        query = select(columns.question_key, columns.at, columns.choice, columns.explanation).where(
            columns.question_key.in_(question_keys), columns.at >= since
        )
        with self.database.read() as connection:
            return {
                key: KnownVerdict(
                    verdict=Verdict(
                        choice=choice, explanation=explanation or "", usage=Usage(cost_usd=0.0)
                    ),
                    at=at,
                )
                for key, at, choice, explanation in connection.execute(query)
            }
