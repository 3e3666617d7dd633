"""nox -s caliper -- --python 3.11"""

import nox


@nox.session(reuse_venv=True)
def caliper(session: nox.Session) -> None:
    """Measure what the releases of a dependency do to this project."""
    session.install("caliper-grid")
    session.run("caliper", "run", *session.posargs)


@nox.session(reuse_venv=True)
def bounds(session: nox.Session) -> None:
    """Check the bounds that pyproject.toml declares."""
    session.install("caliper-grid")
    session.run("caliper", "bounds", "--check", *session.posargs)
