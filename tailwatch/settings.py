"""Addresses and secrets, from the environment alone: nothing about what is evaluated."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The environment of one process. Secrets are masked when printed."""

    model_config = SettingsConfigDict(env_prefix="TAILWATCH_", frozen=True, extra="ignore")

    home: Path = Path(".tailwatch")
    """Where tailwatch keeps its files: the default store and Prefect's own state."""
    plan: Path = Path("tailwatch.yaml")
    store_url: SecretStr | None = None
    """`sqlite:///path` or `postgresql://user@host/database`; default: a SQLite file in `home`."""
    judge_url: str | None = Field(
        default=None, validation_alias=AliasChoices("TAILWATCH_JUDGE_URL", "OPENAI_BASE_URL")
    )
    judge_model: str | None = None
    judge_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("TAILWATCH_JUDGE_API_KEY", "OPENAI_API_KEY")
    )
    second_judge_url: str | None = None
    """Where the judge is that `judge.second` names; with neither this nor its key: as the first."""
    second_judge_api_key: SecretStr | None = None

    @property
    def store(self) -> str:
        """The store's URL. It may hold a password: never print it."""
        if self.store_url is not None:
            return self.store_url.get_secret_value()
        return f"sqlite:///{(self.home / 'tailwatch.db').absolute()}"
