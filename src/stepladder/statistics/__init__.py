"""Arrays in, numbers out: intervals, tests, and bounds that hold whenever they are looked at.

Nothing here knows what a rung, a metric or a prompt is.
"""

from stepladder.statistics.intervals import Interval, confidence_interval

__all__ = ["Interval", "confidence_interval"]
