"""Tables of measurements, with the columns `time`, `station` and `celsius`."""

import pandas as pd


def read(file):
    """A table from a CSV file."""
    return pd.read_csv(file, parse_dates=["time"])


def append(table, more):
    """Both tables, one below the other."""
    # `DataFrame.append` went with pandas 2.0.
    return table.append(more, ignore_index=True)


def daily(table):
    """The mean temperature of each station and day."""
    day = table["time"].dt.floor("D").rename("day")
    return table.groupby(["station", day])["celsius"].mean()


def hottest(table):
    """The row of the highest temperature of each station."""
    return table.loc[table.groupby("station")["celsius"].idxmax()].set_index("station")


def resampled(table):
    """The mean temperature of all stations, hour by hour."""
    # Since pandas 2.2 the letter `H` gives a warning.
    return table.set_index("time")["celsius"].resample("1H").mean()
