"""Run commands in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seedbed.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; gives its exit code, what it printed and its errors."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        code = caught.value.code
        return (0 if code is None else code), out, err  # type: ignore[return-value]

    return call
