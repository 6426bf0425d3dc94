"""Keys, signatures and tokens out of what is told: messages and log lines.

Belongs here: the patterns of credentials in messages, and a filter for the loggers of libraries that make requests.
Does not belong here: secrets in people's texts (curation).
"""

import logging
import re
import traceback

HIDDEN = "***"
LIBRARIES = ("azure", "msal", "urllib3")
"""Those whose loggers, at the level of DEBUG or INFO, tell of requests."""

_NAMES = (
    "account_?key|shared_?access_?signature|sas_?token|client_?secret|client_?assertion|(?:access|refresh|id)_token"
)
_SECRETS = (
    re.compile(r"(?i)(?:\b|%3F|%26)(?:sig|signature)(?:=|%3D)(?P<secret>[^&\s'\"<>]+)"),
    re.compile(rf"(?i)(?:{_NAMES})['\"]?\s*[=:]\s*['\"]?(?P<secret>[^;&,\s'\"<>]+)"),
    re.compile(r"(?i)\b(?:Bearer|SharedKey(?:Lite)?)\s+(?P<secret>[\w.:+/=~-]{8,})"),
    re.compile(r"(?P<secret>\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
)


def masked(text: str) -> str:
    """The text with the values of keys, signatures and tokens hidden."""
    for pattern in _SECRETS:
        text = pattern.sub(_hidden, text)
    return text


class MaskingFilter(logging.Filter):
    """Lets every record through, its message and its traceback masked."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the masked text in the place of the one with its arguments, and of the exception."""
        told = _told(record)
        if (hidden := masked(told)) != told:
            record.msg, record.args = hidden, None
        if record.exc_info and record.exc_info[0] is not None:
            trace = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            if (hidden := masked(trace)) != trace:
                record.exc_text, record.exc_info = hidden, None
        return True


def mask_logs() -> None:
    """Keep credentials out of the lines of libraries that make requests; again after more of them were loaded."""
    known = logging.root.manager.loggerDict
    for name in (*LIBRARIES, *known):
        if name.partition(".")[0] in LIBRARIES:
            logger = logging.getLogger(name)
            if not any(isinstance(one, MaskingFilter) for one in logger.filters):
                logger.addFilter(MaskingFilter())


def _hidden(found: re.Match[str]) -> str:
    start, end = (at - found.start() for at in found.span("secret"))
    return f"{found[0][:start]}{HIDDEN}{found[0][end:]}"


def _told(record: logging.LogRecord) -> str:
    """A message whose arguments do not fit it is told all the same: masking is no place to fail."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args}"
