"""The words that people read, in each language, and the one renderer of numbers and dates."""

from policies.messages.catalogue import catalogue, counted, has_message, message
from policies.messages.phrases import (
    column_label,
    condition_words,
    evidence_phrase,
    input_label,
    metric_label,
    table_label,
    value_text,
)

__all__ = [
    "catalogue",
    "column_label",
    "condition_words",
    "counted",
    "evidence_phrase",
    "has_message",
    "input_label",
    "message",
    "metric_label",
    "table_label",
    "value_text",
]
