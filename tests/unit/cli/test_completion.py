"""What a shell offers after TAB, through the library's own mechanism."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctl.cli.app import app


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ctl certify E", ["ES"]),
        ("ctl certify ES ", ["CL", "PL", "PA", "AAPL", "XLE"]),
        ("ctl demo --inject wrong-commodity:P", ["wrong-commodity:PL", "wrong-commodity:PA"]),
        ("ctl research --param slope_", ["slope_lookback=", "slope_threshold="]),
        ("ctl lookahead ", ["b1"]),
        ("ctl runs show l", ["last"]),
        ("ctl certify --policy vol", ["volume"]),
    ],
)
def test_a_shell_completes(
    words: str, offered: list[str], filled_workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    import typer

    monkeypatch.chdir(filled_workspace)
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    monkeypatch.setenv("_CTL_COMPLETE", "complete_bash")
    with pytest.raises(SystemExit):
        typer.main.get_command(app).main([], prog_name="ctl", complete_var="_CTL_COMPLETE")
    assert capsys.readouterr().out.split() == offered


def test_where_there_is_no_workspace_nothing_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from ctl.cli import completion

    monkeypatch.chdir(tmp_path)
    context = SimpleNamespace(params={})
    assert completion.symbols(context, "") == completion.runs(context, "zz") == []
    assert completion.symbols(SimpleNamespace(params={"workspace": tmp_path / "none"}), "") == []
