"""Why calls were left out, asked for many at once."""

import asyncio

from tailwatch.errors import StoreUnavailableError
from tailwatch.judge_calls import CallLedger, Caps, JudgeCall

UNKNOWN = "the caps under `judge` did not cover another call"


class Refusals:
    """Tells the tasks of one event loop which cap left their calls out. Those that ask while others
    are answered are answered together: at the end of a run's money there are thousands.
    """

    def __init__(self, ledger: CallLedger, caps: Caps) -> None:
        self._ledger = ledger
        self._caps = caps
        self._turn = asyncio.Lock()
        self._waiting: dict[str, JudgeCall] = {}
        self._said: dict[str, str] = {}

    async def why(self, call: JudgeCall) -> str:
        """The sentence about a call; a general one where the store does not answer."""
        self._waiting[call.call_id] = call
        try:
            async with self._turn:
                if call.call_id in self._waiting:
                    await self._ask()
                return self._said[call.call_id]
        finally:
            self._waiting.pop(call.call_id, None)
            self._said.pop(call.call_id, None)

    async def _ask(self) -> None:
        calls = list(self._waiting.values())
        try:
            said = await asyncio.to_thread(self._ledger.refusals, calls, self._caps)
        except StoreUnavailableError:
            said = [UNKNOWN] * len(calls)
        for call, sentence in zip(calls, said, strict=True):
            if self._waiting.pop(call.call_id, None) is not None:
                self._said[call.call_id] = sentence
