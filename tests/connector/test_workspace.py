from pathlib import Path

import pytest

from connector.errors import ConfigurationError, FileProblems, RefusedError
from connector.ports import Organisation
from connector.workspace import Workspace, load_workspace, resolve_secret
from connector.workspace_files import NewWorkspace, create_workspace

GOOD = """
workspace: 1
name: acme
timezone: Asia/Shanghai
language: zh-CN
crm:
  adapter: zoho
  client_secret: env:ACME_SECRET
"""


def workspace(folder: Path, text: str = GOOD) -> Workspace:
    (folder / "highseas.yaml").write_text(text, encoding="utf-8")
    return load_workspace(folder)


def organisation(identifier: str) -> Organisation:
    return Organisation(identifier, "Acme", "UTC", "1", "connector")


def test_a_folder_without_a_file_is_not_a_workspace(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no highseas\.yaml") as caught:
        load_workspace(tmp_path)
    assert "highseas init" in caught.value.hint


def test_every_problem_of_the_file_is_reported_with_its_place(tmp_path: Path) -> None:
    text = GOOD.replace("Asia/Shanghai", "Asia/Shanghia").replace("language: zh-CN", "langauge: en")
    with pytest.raises(FileProblems) as caught:
        workspace(tmp_path, text)
    places = [(problem.line, problem.message) for problem in caught.value.problems]
    assert [line for line, _ in places] == [4, 5]
    assert "Asia/Shanghia" in places[0][1]
    assert "language" in str(caught.value.problems[1])


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match=r"crm\.client_secret holds a value") as caught:
        workspace(tmp_path, GOOD.replace("env:ACME_SECRET", "1000.topsecret"))
    assert "topsecret" not in str(caught.value)
    assert caught.value.problems[0].line == 8


def test_settings_are_the_adapters_part_of_the_block(tmp_path: Path) -> None:
    loaded = workspace(tmp_path)
    assert loaded.settings["client_secret"] == "env:ACME_SECRET"
    assert "adapter" not in loaded.settings


def test_a_missing_secret_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_SECRET", raising=False)
    with pytest.raises(ConfigurationError, match="env:ACME_SECRET is not set"):
        workspace(tmp_path).secret("env:ACME_SECRET")


def test_secrets_come_from_the_environment_and_from_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_SECRET", "s1")
    (tmp_path / "token").write_text("s2\n")
    assert resolve_secret("env:ACME_SECRET", tmp_path) == "s1"
    assert resolve_secret("file:token", tmp_path) == "s2"
    with pytest.raises(ConfigurationError, match="file:nowhere cannot be read"):
        resolve_secret("file:nowhere", tmp_path)


def test_the_first_organisation_is_pinned_and_another_one_refused(tmp_path: Path) -> None:
    loaded = workspace(tmp_path)
    assert loaded.known_organisation() is None
    loaded.expect_organisation(organisation("60001"))
    loaded.expect_organisation(organisation("60001"))
    assert loaded.known_organisation() == "60001"
    with pytest.raises(RefusedError, match="belongs to organisation 60001, but 60002 answered"):
        loaded.expect_organisation(organisation("60002"))


def test_an_organisation_in_the_file_wins(tmp_path: Path) -> None:
    text = GOOD.replace("adapter: zoho", "adapter: zoho\n  organisation: '7'")
    loaded = workspace(tmp_path, text)
    with pytest.raises(RefusedError):
        loaded.expect_organisation(organisation("60001"))


def test_a_new_workspace_loads_and_is_not_made_twice(tmp_path: Path) -> None:
    new = NewWorkspace("客户甲", "zoho", {"client_id": "env:ID"}, "Asia/Shanghai", "zh-CN")
    files = create_workspace(tmp_path / "a", new)
    assert [path.name for path in files] == ["highseas.yaml", "policy.yaml", ".gitignore"]
    loaded = load_workspace(tmp_path / "a")
    assert (loaded.name, loaded.zone, loaded.language) == ("客户甲", "Asia/Shanghai", "zh-CN")
    assert loaded.state.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConfigurationError, match="already is a workspace"):
        create_workspace(tmp_path / "a", new)


def test_channels_without_a_log_are_named_once_and_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert workspace(tmp_path).not_logged == ()
    text = GOOD + "contact: {not_logged: [wechat, phone, wechat]}\n"
    assert workspace(tmp_path, text).not_logged == ("wechat", "phone")


@pytest.mark.parametrize(
    ("written", "place", "told"),
    [
        ("{not_logged: [phone, wechatt]}", (9, 31), "did you mean 'wechat'?"),
        ("{not_logged: [fax]}", (9, 24), "valid here: chat, email, meeting, phone, sms, visit"),
        ("{notlogged: [phone]}", (9, 11), "did you mean 'not_logged'?"),
        ("{not_logged: phone}", (9, 23), "expected a list"),
    ],
)
def test_a_channel_that_is_none_is_told_with_its_place(
    tmp_path: Path, written: str, place: tuple[int, int], told: str
) -> None:
    with pytest.raises(FileProblems) as caught:
        workspace(tmp_path, f"{GOOD}contact: {written}\n")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == place
    assert told in str(problem)
