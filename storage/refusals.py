"""Which cap left a call out, read from the books."""

from collections.abc import Sequence

from sqlalchemy import select, tuple_

from storage.connected import Connected
from storage.judge_tables import JUDGE_ACCOUNTS
from tailwatch.caps import Account, accounts_of, refusal, utc_date
from tailwatch.judge_calls import Caps, JudgeCall


class Refusals(Connected):
    def refusals(self, calls: Sequence[JudgeCall], caps: Caps) -> Sequence[str]:
        """For each call that was not covered, which cap left it out as things stand now.

        It is a sentence with the cap as the plan names it, and how much it is; a general one where
        every cap covers the call by now, because money was given back.
        """
        if not calls:
            return []
        booked_on = {(call.run_id, call.evaluator, utc_date(call.at)) for call in calls}
        accounts = {account for each in booked_on for account in accounts_of(*each)}
        columns = JUDGE_ACCOUNTS.c
        query = select(columns.scope, columns.name, columns.taken).where(
            tuple_(columns.scope, columns.name).in_(sorted(accounts))
        )
        with self.database.read() as connection:
            taken = {
                Account(scope, name): int(amount)
                for scope, name, amount in connection.execute(query)
            }
        return [refusal(call, caps, taken) for call in calls]
