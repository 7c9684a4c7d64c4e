"""Cleaning: one function per table, found by its name."""

import polars as pl


def clean_flights(flights: pl.DataFrame) -> pl.DataFrame:
    """Flights that flew and landed as planned, with the moments of departure and arrival on the clock of New York."""
    day = pl.datetime("year", "month", "day")
    scheduled = day + pl.duration(hours="hour", minutes="minute")
    return (
        flights.filter(pl.col("arr_delay").is_not_null())  # cancelled and diverted flights have none
        .with_columns(scheduled_departure=scheduled)
        .with_columns(departed_at=pl.col("scheduled_departure") + pl.duration(minutes="dep_delay"))
        .with_columns(
            arrived_at=pl.col("departed_at") + pl.duration(minutes=pl.col("air_time") + _taxi_minutes()),
            late=(pl.col("arr_delay") > 15).cast(pl.Int8),
            id=pl.format(
                "{}{}-{}-{}", "carrier", "flight", "origin", pl.col("scheduled_departure").dt.strftime("%Y%m%d")
            ),
        )
        .drop("year", "month", "day", "hour", "minute", "time_hour")
        .sort("scheduled_departure", "id")
    )


def clean_weather(weather: pl.DataFrame) -> pl.DataFrame:
    """Hourly weather of the three airports, by the local clock: `time_hour` does not keep to one time zone."""
    moment = pl.datetime("year", "month", "day", "hour")
    return weather.with_columns(observed_at=moment).drop("year", "month", "day", "hour", "time_hour")


def clean_planes(planes: pl.DataFrame) -> pl.DataFrame:
    """What is known of an aircraft."""
    return planes.rename({"year": "built"}).select("tailnum", "built", "seats", "engines")


def _taxi_minutes() -> pl.Expr:
    """Minutes on the ground at both ends together, between 10 and 69.

    `arr_time` and `dep_time` are local clocks (hhmm) of two airports, whose zones differ by whole hours. So what
    their difference and the air time leave, modulo one hour, is the time on the ground.
    """
    clock = _minutes("arr_time") - _minutes("dep_time")
    return (clock - pl.col("air_time") - 10) % 60 + 10


def _minutes(hhmm: str) -> pl.Expr:
    return pl.col(hhmm) // 100 * 60 + pl.col(hhmm) % 100
