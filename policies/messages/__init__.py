"""The words that people read, in each language, and the one renderer of numbers and dates."""

from policies.messages.catalogue import (
    catalogue,
    evidence_phrase,
    has_message,
    input_label,
    language_names,
    message,
    value_text,
)

__all__ = [
    "catalogue",
    "evidence_phrase",
    "has_message",
    "input_label",
    "language_names",
    "message",
    "value_text",
]
