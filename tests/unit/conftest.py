"""What holds for all unit tests."""

from hypothesis import HealthCheck, settings

# Time is not what these properties are about, and a busy machine makes any limit a coin toss.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")
