"""No recorded conversation, whoever adds it, may hold a secret, a person, or this machine."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parent
CASSETTES = sorted(p for p in ROOT.glob("**/cassettes/**/*") if p.is_file())

_KEYS = r"client_id|client_secret|refresh_token|access_token|(?:next_|previous_)?page_token"
_NONE = r"(?!(?:filtered|(?:token|page)-\d+|null)\b)"
_DATES = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d)?(?:[+-]\d\d:\d\d)?")
PATTERNS = {
    "secret": rf"\b(?:{_KEYS}|password|api_?key)\b[\"']?\s*[:=]\s*[\"']?{_NONE}[^\s\"'&,}}]",
    "credentials": r"\b(?:bearer|basic|[\w-]*oauthtoken)\s+(?!token-\d+\b)[\w.~+/=-]+",
    "token": r"\b1000\.[\w-]{4,}|\beyJ[\w-]{8,}|\b[0-9a-f]{24,}\b",
    "cookie": r"\b(?:set-)?cookie\b",
    "e-mail": r"[\w.+-]+@(?!example\.com(?!\.?[\w-]))[\w-]+(?:\.[\w-]+)+",
    # Zoho's own ids have 19 digits.
    "phone": r"(?<![A-Za-z0-9])\+?\(?\d(?:[ ()./-]{0,2}\d){6,14}(?![A-Za-z0-9])",
    "this machine": r"\blocalhost\b|\b127(?:\.\d+){3}\b|\[::1?\]|\b0\.0\.0\.0\b",
    "a real host": r"https?://(?![\w.-]+\.invalid[/\"\s?]|[\w.-]*\bexample\.com[/\"\s?])",
    "unreadable": r"!!binary",
}


def findings(text: str) -> set[str]:
    """What a conversation should not hold, looked for as it stands and with %40 for @ undone."""
    both = _DATES.sub("", f"{text}\n{unquote(text)}")
    return {name for name, pattern in PATTERNS.items() if re.search(pattern, both, re.IGNORECASE)}


def test_there_are_cassettes() -> None:
    assert CASSETTES


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_cassette_holds_nothing_that_must_not_be_published(path: Path) -> None:
    assert findings(path.read_text("utf-8")) == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("secret", '"client_secret": "made-up"'),
        ("secret", "grant_type=refresh_token&client_id=made-up"),
        ("secret", '{"access_token":"made-up"}'),
        ("secret", "https://zoho.invalid/?page_token=made-up"),
        ("secret", "refresh_token: made-up"),
        ("credentials", '"Authorization": ["Zoho-oauthtoken made-up"]'),
        ("credentials", "Authorization: Bearer made-up"),
        ("token", '"code": "1000.made-up"'),
        ("token", "0123456789abcdef01234567"),
        ("cookie", '"Set-Cookie": ["a=b"]'),
        ("e-mail", "somebody@example.org"),
        ("e-mail", "somebody%40shop.example.net"),
        ("e-mail", "somebody@example.com.cn"),
        ("phone", '"Phone": "13800000000"'),
        ("phone", "电话13800000000。"),
        ("phone", "+86 138-0000-0000"),
        ("phone", "(010) 5555 0100"),
        ("this machine", "http://127.0.0.1:40123/crm"),
        ("this machine", "http://localhost:40123/crm"),
        ("a real host", "https://www.zohoapis.com/crm"),
        ("unreadable", "string: !!binary |"),
    ],
)
def test_what_must_not_be_published_is_noticed(name: str, text: str) -> None:
    assert name in findings(text)


@pytest.mark.parametrize(
    "text",
    [
        "refresh_token=filtered&client_id=filtered&grant_type=refresh_token",
        '"next_page_token": null, "access_token": "token-1", "page_token": "page-2"',
        '"Authorization": ["Zoho-oauthtoken token-1"], "token_type": "Bearer"',
        "ann@example.com",
        "ids=5725767000000100004,5725767000000100005",
        "2026-05-14T11:36:17+08:00",
        '"uri": "https://zoho.invalid/crm/v8/org"',
    ],
)
def test_what_is_made_up_or_filtered_passes(text: str) -> None:
    assert findings(text) == set()
