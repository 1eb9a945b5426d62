"""The texts that a lock edits and writes: the profile's line in ctl.toml, and what differs in words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ctl.errors import WorkspaceError
from ctl.flows import lock
from ctl.model.documents import document
from ctl.model.lock import FileChange, InputDifference, SessionSpan
from ctl.store.workspace import parse

ROOT = Path("/workspace")
REST = """\
[vendors.generic]
format = "csv"
path = "data/raw"
mapping = {name = "plain"}
[vendors.generic2]
format = "csv"
path = "data/raw"
[vendors.generic2.mapping]
columns = {session = "d", close = "c"}
[vendors.generic2.mapping.quote_units]
profile = "volume profile column"
"""


def switched(head: str, rest: str = REST, name: str = "configs/p_v2.yaml") -> str:
    data = (head + rest).encode()
    return lock._switched(data, parse(data, ROOT), name).decode()


HEAD = 'schema_version = 1\ncycle_id = "c"\n'


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ('profile = "configs/p_v1.yaml"\n', 'profile = "configs/p_v2.yaml"\n'),
        ("profile = 'configs/p_v1.yaml'\n", 'profile = "configs/p_v2.yaml"\n'),
        ('  profile="configs/p_v1.yaml"   # in force\n', '  profile="configs/p_v2.yaml"   # in force\n'),
        ('profile = "configs/p_v1.yaml"\r\n', 'profile = "configs/p_v2.yaml"\r\n'),
        ('# profile = "old.yaml"\nprofile = "p.yaml"\n', '# profile = "old.yaml"\nprofile = "configs/p_v2.yaml"\n'),
        ("profile\t=\t'p.yaml'\nsimulated = true\n", 'profile\t=\t"configs/p_v2.yaml"\nsimulated = true\n'),
    ],
)
def test_only_the_profile_of_the_top_table_is_named_anew(line: str, becomes: str) -> None:
    assert switched(HEAD + line) == HEAD + becomes + REST


def test_a_name_that_toml_must_escape_is_escaped() -> None:
    text = switched(HEAD + 'profile = "a_v1.yaml"\n', name='a "b" \u00e9\\_v2.yaml')
    assert parse(text.encode(), ROOT).profile_path == ROOT / 'a "b" \u00e9\\_v2.yaml'


@pytest.mark.parametrize(
    "line",
    [
        'profile = """p.yaml"""\n',
        '"profile" = "p.yaml"\n',
        "profile = '''\np.yaml'''\n",
        'paths.raw = """\nprofile = "q.yaml"\n"""\nprofile = "p.yaml"\n',
    ],
)
def test_a_profile_written_otherwise_is_refused_and_not_guessed_at(line: str) -> None:
    try:
        data = (HEAD + line).encode()
        workspace = parse(data, ROOT)
    except WorkspaceError:
        return  # nothing could be in force to begin with
    with pytest.raises(WorkspaceError, match="cannot be named anew"):
        lock._switched(data, workspace, "p_v2.yaml")


def test_a_difference_of_inputs_in_words() -> None:
    days = (date(2026, 3, 2), date(2026, 3, 3))
    on_disk = SessionSpan(date(2018, 1, 2), days[-1])
    found = InputDifference.of(
        "ES",
        on_disk,
        files=(FileChange("a.csv", None, "1" * 64), FileChange("b.csv", "1" * 64, "2" * 64)),
        new_sessions=days,
        restated=(SessionSpan(date(2019, 1, 2), date(2019, 12, 31)),),
    )
    assert found.text == (
        "added a.csv; changed b.csv; 2 new sessions 2026-03-02 to 2026-03-03; restated 2019-01-02 to 2019-12-31"
    )
    assert (found.readable, found.changed) == (True, True)
    assert document(found)["new_sessions"] == ["2026-03-02", "2026-03-03"]
    same = InputDifference.of("ES", on_disk)
    assert (same.text, same.changed) == ("as locked", False)
    unread = InputDifference.of("ES", None)
    assert (unread.text, unread.readable, unread.changed) == ("cannot be read", False, True)
    unlocked = InputDifference.of("ES", on_disk, locked=False)
    assert (unlocked.text, unlocked.changed) == ("not locked yet", True)
    assert InputDifference.of("ES", on_disk, new_sessions=days[1:]).text == "1 new session 2026-03-03"
