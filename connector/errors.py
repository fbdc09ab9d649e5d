"""Every error of a run, sorted by what the caller should do about it.

    HighseasError                 1  failed
    ├── ConfigurationError        2  a file, an option or a secret has to be corrected
    │   └── FileProblems             with file:line:column for each problem
    ├── RefusedError              3  unsafe, stale, locked or the wrong organisation
    └── RemoteError               1  the CRM could not be asked
        ├── AuthenticationError      the CRM refused the credentials or the scopes
        ├── UnavailableError         no answer, or only errors, until the retries ended
        ├── QuotaError               the CRM's quota is used up for now
        └── ProtocolError            the CRM answered something that its contract does not allow

Interrupted (130) is `Interrupted`: a run that was asked to stop after the batch in flight.
"""

from __future__ import annotations

from policies.errors import ConfigurationError, FileProblems, HighseasError, Problem

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "FileProblems",
    "HighseasError",
    "Interrupted",
    "Problem",
    "ProtocolError",
    "QuotaError",
    "RefusedError",
    "RemoteError",
    "UnavailableError",
]


class RefusedError(HighseasError):
    """highseas will not do this: it would be unsafe, or the ground has moved."""

    exit_code = 3


class RemoteError(HighseasError):
    """The CRM could not be asked. Messages hold method, path, status and code, never a body."""


class AuthenticationError(RemoteError):
    """The CRM refused the credentials or the scopes: retrying does not help."""


class UnavailableError(RemoteError):
    """The CRM did not answer, or only with errors, until the retries ended."""


class QuotaError(RemoteError):
    """The CRM's quota is used up for now; the run can go on later."""


class ProtocolError(RemoteError):
    """The CRM answered something that its contract does not allow."""


class Interrupted(HighseasError):  # noqa: N818 - a request that was honoured, not an error
    """The run was asked to stop; what was in flight has been settled."""

    exit_code = 130
