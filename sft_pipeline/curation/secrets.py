"""Secrets in people's texts: what they look like, and `[REDACTED:<kind>]` in their place.

Belongs here: the kinds, finding and replacing them in texts, counting what stands redacted.
Does not belong here: user names (privacy), what must be true of records (rules).

Patterns are those of Rust's `regex`, which reads any text in linear time; all of them in one expression find nothing in
more than a gigabyte per second. Three things keep redacting twice the same as once: no part of a pattern that may run
on takes square brackets, one that ends on a letter or digit takes all that follow, and one that needs an end after it
comes last.
"""

from typing import NamedTuple

import polars as pl

TEXTS = ("userMessage", "modelMessage")
"""The fields of a turn that hold what people and models wrote."""

PREFIX = "[REDACTED:"

_EDGE = r"(?-u:\b)"
_START = rf"(?:{_EDGE}|\\[nrt])"
"""Where a word may start, also in text that was escaped once more: after a `\\n` that is two characters."""
_IS = r"""["']?\s{0,3}[=:]\s{0,3}["']?"""
_KEY_BLOCK = r"(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY_DATA = r"""(?:\s|\\[nr]|["'+,\\])*(?:[A-Za-z0-9+/]{12,}|Proc-Type:|Version:)"""
_IN_URL = r"""[^\s/:@?#&'"`<>{}\[\]()\\]"""
_AFTER_USER = r"""(?:%[0-9A-Fa-f]{2}|[^\s/@?#&'"`<>{}\[\]()\\*$%])[^\s/@?#&'"`<>{}\[\]()\\]*"""


class SecretKind(NamedTuple):
    """What a secret looks like, and the text around it by which it is known and which stays."""

    name: str
    secret: str
    before: str = ""
    after: str = ""

    @property
    def pattern(self) -> str:
        """The whole, in which group 1 stands before the secret and group 2 after it."""
        return f"({self.before}){self.secret}({self.after})"

    @property
    def placeholder(self) -> str:
        """What stands in the secret's place."""
        return f"{PREFIX}{self.name}]"


SECRET_KINDS: tuple[SecretKind, ...] = (
    # A block without its end is one that was cut off; without key data after it, the line is spoken of, not used.
    SecretKind(
        "private_key",
        rf"-----BEGIN {_KEY_BLOCK}(?:[\s\S]*?-----END {_KEY_BLOCK}|{_KEY_DATA}[\s\S]*)",
    ),
    # Not `${PASSWORD}`, `{password}`, `<password>`, `***`: those are ordinary code.
    SecretKind("url_password", _AFTER_USER, before=rf"://{_IN_URL}*:", after="@"),
    SecretKind(
        "sas_signature", r"[A-Za-z0-9%+/_-]{40,}={0,2}", before=rf"(?:{_START}|%26|%3[Ff]|\\u0026)sig(?:=|%3[Dd])"
    ),
    SecretKind(
        "azure_key",
        r"[A-Za-z0-9+/]{40,}={0,2}",
        before=rf"(?:[Aa]ccountKey|account_key|ACCOUNT_KEY|SharedAccessKey){_IS}",
    ),
    SecretKind(
        "aws_secret_access_key",
        r"[A-Za-z0-9+/]{40,}={0,2}",
        before=rf"(?:secret_access_key|SECRET_ACCESS_KEY|[sS]ecretAccessKey){_IS}",
    ),
    SecretKind("github_token", r"(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    SecretKind("jwt", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    SecretKind("slack_token", r"xox[abeprs]-[A-Za-z0-9-]{10,}"),
    # A run of letters alone, or words with hyphens, is a name: `sk-learn`, `sk-internationalization`.
    SecretKind(
        "openai_key",
        r"sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}|ant-[a-z]+[0-9]+-[A-Za-z0-9_-]{20,}|or-v1-[A-Za-z0-9]{40,}"
        r"|[A-Za-z0-9]{32,}|[A-Za-z]{0,10}[0-9][A-Za-z0-9]{19,})",
        before=_START,
    ),
    SecretKind("google_api_key", r"AIza[A-Za-z0-9_-]{35,}", before=_START),
    SecretKind("npm_token", r"npm_[A-Za-z0-9]{30,}"),
    SecretKind("pypi_token", r"pypi-AgE[A-Za-z0-9_-]{16,}"),
    SecretKind("aws_access_key_id", r"A(?:KIA|SIA)[0-9A-Z]{16}", before=_START, after=_EDGE),
)
"""In the order in which they are replaced: those that may hold others first, the one of a fixed length last."""

_ANY = "|".join(f"(?:{kind.pattern})" for kind in SECRET_KINDS)


def holds_secret(text: pl.Expr) -> pl.Expr:
    """Whether a text holds a secret of a known kind; null for null."""
    return text.str.contains(_ANY)


def redacted(text: pl.Expr) -> pl.Expr:
    """The text with a placeholder for each secret; what surrounds them stays as it is."""
    for kind in SECRET_KINDS:
        text = text.str.replace_all(kind.pattern, f"${{1}}{kind.placeholder}${{2}}")
    return text


def turns_with_secrets() -> pl.Expr:
    """In how many turns of a conversation a text holds a secret; null without turns."""
    held = [holds_secret(pl.element().struct.field(name)).fill_null(value=False) for name in TEXTS]
    return pl.col("turnsArray").list.eval(pl.any_horizontal(*held)).list.sum()


def with_secrets_redacted(conversations: pl.DataFrame) -> pl.DataFrame:
    """The same conversations with the secrets in the texts of their turns redacted, in the same order."""
    rows = conversations.with_row_index("row")
    holding = rows.filter(turns_with_secrets() > 0)
    if holding.is_empty():
        return conversations
    mended = pl.element().struct.with_fields(*[redacted(pl.field(name)) for name in TEXTS])
    changed = holding.with_columns(pl.col("turnsArray").list.eval(mended))
    others = rows.join(holding.select("row"), on="row", how="anti")
    return pl.concat([others, changed]).sort("row").drop("row")


def redaction_counts(conversations: pl.DataFrame) -> dict[str, int]:
    """How many placeholders of each kind stand in the texts of conversations."""
    found = [
        pl.element().struct.field(name).str.contains(PREFIX, literal=True).fill_null(value=False) for name in TEXTS
    ]
    touched = pl.col("turnsArray").list.eval(pl.any_horizontal(*found)).list.any()
    turns = conversations.lazy().filter(touched).select(pl.col("turnsArray").explode()).unnest("turnsArray")
    counts = [
        pl.sum_horizontal(pl.col(TEXTS).str.count_matches(kind.placeholder, literal=True).sum()).alias(kind.name)
        for kind in SECRET_KINDS
    ]
    return {name: int(count) for name, count in turns.select(counts).collect().row(0, named=True).items()}
