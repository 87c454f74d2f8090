"""What all tests share: how much hypothesis tries, and that it is not in a hurry on a busy machine.

Choose with HYPOTHESIS_PROFILE: `local` (the default), `ci` (the same examples every time), `nightly` (many
more), `few`.
"""

import contextlib
import os

with contextlib.suppress(ImportError):  # the ML environment, in which tests/ml_runtime run, may lack it
    from hypothesis import HealthCheck, settings

    unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("local", unhurried)
    settings.register_profile("ci", unhurried, derandomize=True)
    settings.register_profile("few", unhurried, max_examples=10)
    settings.register_profile("nightly", unhurried, max_examples=2000)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "local"))
