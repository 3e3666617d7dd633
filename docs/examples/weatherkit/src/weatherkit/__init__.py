"""Daily summaries of weather stations."""

from weatherkit.summary import append, daily, hottest, read, resampled

__all__ = ["append", "daily", "hottest", "read", "resampled"]
