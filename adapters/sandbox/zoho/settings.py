"""What a caller may set on the sandbox: unverified vendor behaviour, limits, credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ALL_SCOPES = (
    "ZohoCRM.modules.ALL ZohoCRM.modules.notes.ALL ZohoCRM.settings.ALL ZohoCRM.users.READ "
    "ZohoCRM.org.READ ZohoCRM.change_owner.CREATE"
)


@dataclass(frozen=True)
class Quirks:
    """Answers to questions that Zoho's pages leave open; each default is the likelier one."""

    tag_change_bumps_modified: bool = True  # the reply's `modifiedTime` key suggests so
    note_bumps_parent: bool = False  # no page says that a note moves its record
    owner_change_bumps_modified: bool = True  # an owner is a field like any other
    not_modified_status: Literal[304, 204] = 304  # status-codes page; some clients saw 204
    unknown_field_written: Literal["ignored", "error"] = "ignored"  # seen; one sample says error
    unknown_field_read: Literal["ignored", "error"] = "ignored"
    picklist_checked: bool = True  # off: any text is taken, as for options that are not fixed
    all_failed_status: Literal[400, 202] = 400  # 202 in v2 and in the 2025 specification
    locked_tag_reply_flat: bool = False  # one flat RECORD_LOCKED object instead of data[]
    over_write_read_from: Literal["body", "query", "both"] = "both"  # pages and SDK disagree
    absent_tag_removal: Literal["success", "failure"] = "success"
    tag_reply_extras: bool = False  # affected_data and a human modifiedTime (2026 samples)
    notes_listing_admin_only: bool = True  # get-notes page
    notes_default_order: Literal["asc", "desc"] = "asc"  # follows the user's preference
    missing_record: Literal["error", "empty"] = "error"  # GET of an unknown id: 400 or 204
    conditional_many: Literal["all", "row"] = "all"  # one newer row stops all, or only itself
    equal_time_passes: bool = True  # Modified_Time equal to If-Unmodified-Since


@dataclass(frozen=True)
class Limits:
    """Zoho's own numbers (v8 limits, get-records, add-tags and tag pages); tests shrink them."""

    page_rows: int = 200
    discrete_rows: int = 2_000
    token_rows: int = 100_000
    page_token_seconds: int = 86_400
    fields: int = 50
    rows_written: int = 100
    rows_tagged: int = 500
    tags_per_record: int = 10
    tags_per_module: int = 100
    tag_name: int = 25
    access_token_seconds: int = 3_600
    tokens_per_window: int = 10
    token_window_seconds: int = 600
    live_tokens: int = 15
    credits_per_day: int = 62_000
    concurrent_calls: int = 20
    concurrent_heavy_calls: int = 10


@dataclass(frozen=True)
class Credentials:
    """The one registered client; `user` is whom its tokens act for (default: an administrator)."""

    client_id: str = "1000.SANDBOXCLIENT"
    client_secret: str = "sandbox-secret"  # noqa: S105 (made up, opens nothing but the sandbox)
    refresh_token: str = "1000.sandbox-refresh-token"  # noqa: S105 (as above)
    scope: str = ALL_SCOPES
    user: str | None = None
