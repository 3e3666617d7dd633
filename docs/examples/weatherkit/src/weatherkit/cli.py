"""The command `weatherkit`."""

import click

from weatherkit.summary import daily, read


@click.command()
@click.argument("file", type=click.File())
def main(file):
    """Prints the mean temperature of each station and day of FILE."""
    for (station, day), mean in daily(read(file)).items():
        click.echo(f"{station} {day:%Y-%m-%d} {mean:.1f}")
