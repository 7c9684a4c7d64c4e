"""Feature views: what a model may see, each value as it was known two hours before departure."""

from datetime import timedelta

import polars as pl

from threefold import view


def schedule(flights: pl.DataFrame) -> pl.DataFrame:
    """What the timetable says. No month: trees cannot say anything about months they have not seen."""
    departure = pl.col("scheduled_departure").dt
    return flights.select(
        "carrier",
        "origin",
        "distance",
        hour=departure.hour() + departure.minute() / 60,
        weekday=departure.weekday(),
        scheduled_arrival=pl.col("sched_arr_time") // 100,
    )


@view(key="origin", known="observed_at", max_age=timedelta(hours=6))
def weather_at_origin(weather: pl.DataFrame) -> pl.DataFrame:
    """The last weather observed at the airport of departure."""
    return weather.select(
        "origin", "observed_at", "temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"
    )


@view(key="carrier", known="arrived_at", max_age=timedelta(days=1))
def carrier_lately(flights: pl.DataFrame) -> pl.DataFrame:
    """How late the airline's flights landed in the last six hours."""
    return _lately(flights, "carrier", "arrived_at", "6h", carrier_arrival_delay="arr_delay")


@view(key="origin", known="departed_at", max_age=timedelta(days=1))
def origin_lately(flights: pl.DataFrame) -> pl.DataFrame:
    """How late flights left the airport in the last three hours."""
    return _lately(flights, "origin", "departed_at", "3h", origin_departure_delay="dep_delay")


@view(key="dest", known="arrived_at", max_age=timedelta(days=1))
def destination_lately(flights: pl.DataFrame) -> pl.DataFrame:
    """How late flights landed at the destination in the last twelve hours."""
    return _lately(flights, "dest", "arrived_at", "12h", destination_arrival_delay="arr_delay")


@view(key="tailnum", known="arrived_at", max_age=timedelta(days=1), age="hours_since_aircraft_landed")
def aircraft_last(flights: pl.DataFrame) -> pl.DataFrame:
    """How late the aircraft itself landed last, and how long ago."""
    return flights.select("tailnum", "arrived_at", aircraft_arrival_delay="arr_delay")


@view(key="tailnum")
def aircraft(planes: pl.DataFrame) -> pl.DataFrame:
    """What does not change about the aircraft."""
    return planes.select("tailnum", "built", "seats")


def _lately(flights: pl.DataFrame, key: str, moment: str, period: str, **feature: str) -> pl.DataFrame:
    """The mean of a column over the rows of one key that were known in the period before each moment."""
    (name, column), *_ = feature.items()
    mean = pl.col(column).rolling_mean_by(moment, window_size=period).over(key)
    return flights.drop_nulls([moment, column]).sort(moment).select(key, moment, mean.alias(name))
