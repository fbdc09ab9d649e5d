"""The sandbox held against Zoho's own OpenAPI files: paths, enumerations, lengths, shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import Store, ZohoSandbox
from adapters.sandbox.zoho.organisation import CHOICES

Call = Callable[..., requests.Response]
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class Specification:
    def __init__(self, folder: Path, name: str) -> None:
        text = (folder / "zoho-openapi" / f"zoho-crm-{name}-openapi.json").read_text("utf-8")
        self.content: dict[str, Any] = json.loads(text)

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self.content
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/")]
            schema = found
        return schema

    def answer(self, path: str, method: str, status: str) -> dict[str, Any]:
        responses = self.content["paths"][path][method]["responses"]
        media: dict[str, Any] = self.resolve(responses[status])["content"]["application/json"]
        schema: dict[str, Any] = media["schema"]
        return schema

    def problems(self, value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
        """Check types, required keys, enumerations and lengths; keys beyond them may come."""
        schema = self.resolve(schema)
        branches = schema.get("oneOf") or schema.get("anyOf")
        if branches:
            tried = [self.problems(value, branch, place) for branch in branches]
            return min(tried, key=len)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(isinstance(value, JSON_TYPES[kind]) for kind in kinds):
            return [f"{place}: {type(value).__name__} is not {kinds}"]
        found = [p for part in schema.get("allOf", ()) for p in self.problems(value, part, place)]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{place}: {value!r} is not in {schema['enum']}")
        if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
            found.append(f"{place}: longer than {schema['maxLength']}")
        return found + self._inner_problems(value, schema, place)

    def _inner_problems(self, value: Any, schema: dict[str, Any], place: str) -> list[str]:
        found = []
        if isinstance(value, list) and "items" in schema:
            for number, item in enumerate(value):
                found += self.problems(item, schema["items"], f"{place}[{number}]")
        if isinstance(value, dict):
            found += [f"{place}: no {k}" for k in schema.get("required", ()) if k not in value]
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    found += self.problems(value[name], inner, f"{place}.{name}")
        return found


@pytest.fixture
def specification(contracts_dir: Path) -> Callable[[str], Specification]:
    return lambda name: Specification(contracts_dir, name)


def test_every_address_of_the_sandbox_is_one_of_zohos(
    sandbox: ZohoSandbox, contracts_dir: Path
) -> None:
    known = set()
    for file in sorted((contracts_dir / "zoho-openapi").glob("*.json")):
        for path, operations in json.loads(file.read_text("utf-8"))["paths"].items():
            plain = re.sub(r"\{[^}]*\}", "*", path)
            known |= {(method.upper(), plain) for method in operations}
    rules = [
        (method, re.sub(r"<[^>]*>", "*", rule.rule.removeprefix("/crm/v8")))
        for rule in sandbox._app().url_map.iter_rules()
        if rule.rule.startswith("/crm/v8")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    assert len(rules) > 15
    assert set(rules) - known == set()


def test_user_types_are_zohos(specification: Callable[[str], Specification]) -> None:
    parameter = specification("users").content["components"]["parameters"]["Type"]
    assert set(CHOICES) <= set(parameter["schema"]["enum"])


@pytest.fixture
def account(store: Store) -> str:
    return store.insert("Accounts", [{"Account_Name": "A", "Tag": ["own"]}])[0]


def test_note_answers_fit(
    specification: Callable[[str], Specification], call: Call, account: str
) -> None:
    notes = specification("notes")
    parent = {"module": {"api_name": "Accounts"}, "id": account}
    row = {"Note_Title": "t", "Note_Content": "x", "Parent_Id": parent}
    created = call("POST", "/Notes", json={"data": [row]})
    assert notes.problems(created.json(), notes.answer("/Notes", "post", "201")) == []
    mixed = call("POST", "/Notes", json={"data": [row, {"Parent_Id": parent}]})
    assert notes.problems(mixed.json(), notes.answer("/Notes", "post", "207")) == []
    listed = call("GET", "/Notes?fields=Note_Title,Note_Content,Parent_Id")
    assert notes.problems(listed.json(), notes.answer("/Notes", "get", "200")) == []
    number = created.json()["data"][0]["details"]["id"]
    changed = call("PUT", "/Notes", json={"data": [{"id": number, "Note_Title": "u"}]})
    assert notes.problems(changed.json(), notes.answer("/Notes", "put", "200")) == []
    gone = call("DELETE", f"/Notes?ids={number}")
    assert notes.problems(gone.json(), notes.answer("/Notes", "delete", "200")) == []


def test_tag_answers_fit(
    specification: Callable[[str], Specification], store: Store, call: Call, account: str
) -> None:
    tags, actions = specification("tags"), specification("tags-actions")
    path, catalogue = "/{module}/actions/add_tags", "/settings/tags"
    listed = call("GET", "/settings/tags?module=Accounts")
    assert tags.problems(listed.json(), tags.answer(catalogue, "get", "200")) == []
    rows = {"tags": [{"name": "x"}]}
    created = call("POST", "/settings/tags?module=Accounts", json=rows)
    assert tags.problems(created.json(), tags.answer(catalogue, "post", "201")) == []
    body = {"tags": [{"name": "y"}], "ids": [account]}
    added = call("POST", "/Accounts/actions/add_tags", json=body)
    assert actions.problems(added.json(), actions.answer(path, "post", "200")) == []
    store.lock(account)
    body = {"tags": [{"name": "own"}], "ids": [account]}
    locked = call("POST", "/Accounts/actions/remove_tags", json=body)
    schema = actions.answer("/{module}/actions/remove_tags", "post", "400")
    assert actions.problems(locked.json(), schema) == []


def test_deletions_and_modules_fit(
    specification: Callable[[str], Specification], store: Store, call: Call, account: str
) -> None:
    store.delete(account)
    record = specification("record")
    deleted = call("GET", "/Accounts/deleted").json()
    assert record.problems(deleted, record.answer("/{module}/deleted", "get", "200")) == []
    users = specification("users")
    listed = call("GET", "/users").json()
    assert users.problems(listed, users.answer("/users", "get", "200")) == []


def test_the_checker_can_find_something_wrong(
    specification: Callable[[str], Specification],
) -> None:
    notes = specification("notes")
    schema = notes.answer("/Notes", "post", "201")
    wrong = {"data": [{"code": "DONE", "message": 1, "status": "success"}]}
    assert len(notes.problems(wrong, schema)) == 3
