"""The languages that the product speaks. Each has its files in `policies/messages`."""

from __future__ import annotations

from typing import Literal, get_args

Language = Literal["zh-CN", "en", "de"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
