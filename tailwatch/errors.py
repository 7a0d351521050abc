"""The exceptions of tailwatch, one tree.

    TailwatchError
    ├── ConfigurationError        the user's plan, settings or command is wrong (exit code 2)
    │   ├── PlanError             tailwatch.yaml: the problem with its line
    │   └── UnknownNameError      no evaluator, source or rule of that name
    ├── InvalidTraceError         a trace that cannot have happened (also a ValueError)
    ├── SourceError               the place where traces live refused, for good
    │   └── SourceUnavailableError    ... or did not answer: worth another try
    ├── NotifierError             a message was refused, and would be refused again
    │   └── NotifierUnavailableError  ... or nobody took it: worth another try
    ├── BatchError                the judge's endpoint refused something about a batch
    │   └── BatchUnavailableError     ... or did not answer: worth another try
    └── StoreError                the results store cannot be used
        ├── StoreSchemaError          its schema is older or newer than this program
        ├── AlertChangedError         an alert is no longer as it was read: read it again
        ├── ClaimLostError            another worker took the work over: leave it alone
        └── StoreUnavailableError     it did not answer: worth another try

An exception that is worth another try is also a `RetryableError`; nothing else is.
"""

from collections.abc import Iterable


class TailwatchError(Exception):
    """Whatever tailwatch raises on purpose."""


class RetryableError(TailwatchError):
    """The same call may succeed later."""


class ConfigurationError(TailwatchError):
    """The plan, a setting or a command line is wrong; the message says what is accepted."""


class PlanError(ConfigurationError):
    """The evaluation plan is wrong; `problems` has one line for each fault."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class UnknownNameError(ConfigurationError):
    """Nothing of that kind has that name."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(sorted(known))
        super().__init__(f"no {kind} is called {name!r}; known: {', '.join(self.known)}")


class InvalidTraceError(TailwatchError, ValueError):
    """A trace or span has a value that cannot have happened."""


class SourceError(TailwatchError):
    """The trace source refused, and would refuse again."""


class SourceUnavailableError(SourceError, RetryableError):
    """The trace source did not answer; it may later."""


class NotifierError(TailwatchError):
    """A notifier refused the message, and would refuse it again. Never holds an address or key."""


class NotifierUnavailableError(NotifierError, RetryableError):
    """The message was not taken; it may be later, after `retry_after_s` if that is known."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class BatchError(TailwatchError):
    """The judge's endpoint refused to make, show or hand out a batch, and would refuse again."""


class BatchUnavailableError(BatchError, RetryableError):
    """The judge's endpoint did not answer about a batch; it may later."""


class StoreError(TailwatchError):
    """The results store cannot be used."""


class StoreSchemaError(StoreError, ConfigurationError):
    """The store's schema is not the one this program writes."""


class AlertChangedError(StoreError):
    """Somebody changed the alert after it was read; nothing was written."""


class ClaimLostError(StoreError):
    """Another worker has taken the work over meanwhile; nothing was written."""


class StoreUnavailableError(StoreError, RetryableError):
    """The results store did not answer; it may later."""
