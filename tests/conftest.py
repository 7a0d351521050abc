"""What every test shares: no test fails for being slow, since machines are shared and noisy."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "tailwatch",
    parent=settings(),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tailwatch")

# Processes that share the tests are told the width of a terminal; without one, output is wide.
os.environ.pop("COLUMNS", None)
