"""The table in the terminal is whole at any width."""

import pytest
from made_up import FakeRun

from leukoscope.report.terminal import print_results


@pytest.mark.parametrize(
    ("width", "shown"), [("80", "accuracy"), ("130", "confusion"), ("", "precision")]
)
def test_no_cell_is_cut_off(
    fake_run: FakeRun,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: str,
    shown: str,
) -> None:
    run = fake_run(classes="subtype", protocols=("random", "session"))
    if width:
        monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal
        monkeypatch.setenv("COLUMNS", width)
    print_results(run)
    said = capsys.readouterr().out
    assert "…" not in said
    assert shown in said
    assert "protocol session" in said
