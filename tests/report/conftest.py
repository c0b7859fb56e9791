"""What the tests of this room share: a run that nobody trained."""

from pathlib import Path

import pytest
from made_up import FakeRun, build


@pytest.fixture
def fake_run(tmp_path: Path) -> FakeRun:
    """The builder of a run folder below the test's own folder."""

    def make(**options: object) -> Path:
        return build(tmp_path / "run", **options)  # type: ignore[arg-type]

    return make
