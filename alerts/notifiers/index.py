"""The notifiers by name. One of another package joins by the entry point `tailwatch.notifiers`."""

from collections.abc import Mapping

from tailwatch.loading import load
from tailwatch.plan import NotifyPlan
from tailwatch.protocols import Notifier, NotifierFactory, Secrets

NOTIFIERS = {
    "slack": "alerts.notifiers.slack:slack",
    "pagerduty": "alerts.notifiers.pagerduty:pagerduty",
    "webhook": "alerts.notifiers.webhook:webhook",
    "apprise": "alerts.notifiers.other_services:other_services",
}

ENTRY_POINTS = "tailwatch.notifiers"


def build_notifier(plan: NotifyPlan, environment: Mapping[str, str]) -> Notifier:
    """The notifier that the plan asks for; its secrets are read when it sends.

    Raises UnknownNameError when none is called so, ConfigurationError for a wrong option or when
    the plan does not name the environment variable of a secret it needs.
    """
    factory: NotifierFactory = load("notifier", plan.use, NOTIFIERS, ENTRY_POINTS)
    secrets = Secrets(environment=environment, url_env=plan.url_env, key_env=plan.key_env)
    return factory(plan.destination, plan.options, secrets)
