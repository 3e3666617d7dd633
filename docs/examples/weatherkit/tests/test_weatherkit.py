import io

import pytest
from click.testing import CliRunner

import weatherkit
from weatherkit.cli import main

CSV = """time,station,celsius
2021-07-01 10:00,north,18.0
2021-07-01 11:00,north,20.0
2021-07-02 10:00,north,16.0
2021-07-01 10:00,south,25.0
"""


@pytest.fixture
def table():
    return weatherkit.read(io.StringIO(CSV))


def test_times_are_read(table):
    assert str(table["time"].iloc[0]) == "2021-07-01 10:00:00"


def test_means_are_of_a_station_and_a_day(table):
    assert weatherkit.daily(table).tolist() == [19.0, 16.0, 25.0]


def test_the_hottest_row_is_found(table):
    assert weatherkit.hottest(table)["celsius"].to_dict() == {"north": 20.0, "south": 25.0}


def test_tables_are_appended(table):
    assert len(weatherkit.append(table, table)) == 8


def test_hours_are_resampled(table):
    assert weatherkit.resampled(table[table["station"] == "north"]).iloc[:2].tolist() == [18.0, 20.0]


def test_the_command_prints_means(tmp_path):
    file = tmp_path / "measured.csv"
    file.write_text(CSV)
    result = CliRunner().invoke(main, [str(file)])
    assert result.output.splitlines()[0] == "north 2021-07-01 19.0"
