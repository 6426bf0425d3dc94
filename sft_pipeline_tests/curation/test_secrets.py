"""Secrets of every kind leave texts, and nothing else does."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.secrets import (
    SECRET_KINDS,
    holds_secret,
    redacted,
    redaction_counts,
    with_secrets_redacted,
)
from sft_pipeline_tests.conversations_world import conversation, conversations, turn
from sft_pipeline_tests.secret_texts import ALL_IN_ONE, EVERY, GIVEAWAYS, LETTERS, SECRETS, written

KINDS = [kind.name for kind in SECRET_KINDS]


def clean(text: str) -> str:
    return pl.select(redacted(pl.lit(text))).item()


def is_secret(text: str) -> bool:
    return pl.select(holds_secret(pl.lit(text))).item()


def test_there_is_an_example_of_every_kind() -> None:
    assert sorted(SECRETS) == sorted(KINDS)


@pytest.mark.parametrize(("kind", "secret"), EVERY, ids=lambda text: text[:12])
class TestEverySecret:
    @pytest.mark.parametrize("around", ["{}", "use {}, please", '"{}"', "密钥{}。", "({})\n", "a\\n{}\\n", "={};"])
    def test_it_is_redacted_and_what_stands_around_it_stays(self, kind: str, secret: str, around: str) -> None:
        text = around.replace("{}", written(kind, secret))
        assert is_secret(text)
        assert clean(text) == around.replace("{}", written(kind, f"[REDACTED:{kind}]"))

    def test_it_is_redacted_as_often_as_it_stands(self, kind: str, secret: str) -> None:
        text = " and ".join([written(kind, secret)] * 3)
        assert clean(text) == " and ".join([written(kind, f"[REDACTED:{kind}]")] * 3)

    def test_its_place_is_no_secret(self, kind: str, secret: str) -> None:
        del secret
        text = written(kind, f"[REDACTED:{kind}]")
        assert not is_secret(text)
        assert clean(text) == text


ORDINARY = (
    "commit 9af1385bd0c4e0cbd7cf8bb0dbd6a4f32a31c7e5 of 6f9619ff-8b86-d011-b42d-00c04fc964ff",
    "sha512-" + LETTERS[:43] + LETTERS[:43] + "==",
    "sig=hmac(key, text); if sig=='' or sig=None: return sig = sign(payload)",
    "pip install sk-learn; .sk-folding-cube-animation-delay-long { } .sk-internationalization task-" + "0a" * 16,
    "risk-" + LETTERS[:40],
    "npm_config_registry npm_lifecycle_event npm_package_devDependencies_typescript",
    "xoxo, ghp_ is the prefix, AKIA too; eyJ.eyJ; AIza; pypi-AgE",
    "ASIAPACIFIC AKIAAAA AKIAIOSFODNN7EXAMPLEANDMORE",
    'if text.startswith("-----BEGIN PRIVATE KEY-----"):\n    return load(text)',
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    "https://host:8080/path?to=me@example.org git@github.com:org/repo.git ssh://git@host:22/x http://[::1]:8080/@x",
    "postgres://{user}:{password}@{host} postgres://$USER:$PASSWORD@db mysql://user:<password>@h redis://:***@h",
    "mongodb://user:%s@host https://registry.npmjs.org:443/@scope/package, see https://a.b: me@example.org",
    "AccountKey=<your key>; AccountKey=${KEY}; account_key: str = environ['AZURE_STORAGE_ACCOUNT_KEY']",
    "aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']; secretAccessKey: process.env.AWS_SECRET",
    "eyJhbGciOiJIUzI1NiJ9 alone, [REDACTED:jwt] and [REDACTED] and [REDACTED:mine]",
)


@pytest.mark.parametrize("text", ORDINARY, ids=lambda text: text[:24])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert not is_secret(text)
    assert clean(text) == text


@pytest.mark.parametrize(
    "rest", ["MIIEpAIBAAKCAQEA7", "\nMIIEpAIBAAKCAQEA7\nabc", "\\nMIIEpAIBAAKCAQEA7", "\nProc-Type: 4"]
)
def test_a_private_key_that_is_cut_off_is_redacted_to_the_end(rest: str) -> None:
    assert clean("mine:\n-----BEGIN " + "EC PRIVATE KEY-----" + rest) == "mine:\n[REDACTED:private_key]"


def test_text_between_two_private_keys_stays() -> None:
    key = SECRETS["private_key"][0]
    assert clean(f"{key}\nand\n{key}") == "[REDACTED:private_key]\nand\n[REDACTED:private_key]"


def test_a_secret_in_a_text_that_was_escaped_once_more_is_found() -> None:
    assert clean("a\\u0026sig=" + "x" * 43) == "a\\u0026sig=[REDACTED:sas_signature]"
    assert clean("url=%3Fsv%3D1%26sig%3D" + "x" * 43) == "url=%3Fsv%3D1%26sig%3D[REDACTED:sas_signature]"
    assert clean("\\nAIza" + "x" * 35) == "\\n[REDACTED:google_api_key]"


def test_a_secret_that_is_the_password_of_a_url_is_redacted_once() -> None:
    token = SECRETS["github_token"][0]
    assert clean(f"https://me:{token}@github.com/o/r") == "https://me:[REDACTED:url_password]@github.com/o/r"
    assert clean(f"https://{token}@github.com/o/r") == "https://[REDACTED:github_token]@github.com/o/r"


PIECES = st.sampled_from(
    [
        *(secret for _, secret in EVERY),
        *(written(kind, secret) for kind, secret in EVERY),
        *(kind.placeholder for kind in SECRET_KINDS),
        *(
            "://",
            ":",
            "@",
            "sig=",
            "&",
            "=",
            "-",
            "_",
            "[",
            "]",
            "%",
            "\\n",
            "\\",
            '"',
            "AccountKey=",
            "eyJ",
            "sk-",
            "a",
            "A1",
        ),
        *("-----BEGIN " + "PRIVATE KEY-----", "-----END " + "PRIVATE KEY-----", "\n", " ", "é", "x" * 40),
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_redacting_twice_changes_nothing_and_leaves_no_secret(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not is_secret(once)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_text_changes_when_it_holds_a_secret_and_only_then(text: str) -> None:
    assert (clean(text) != text) == is_secret(text)


@given(st.text())
def test_texts_of_any_characters_without_secrets_stay(text: str) -> None:
    assert not is_secret(text)
    assert clean(text) == text


class TestConversations:
    ROWS = conversations(
        conversation("plain"),
        conversation("user", turnsArray=[turn(1, userMessage=ALL_IN_ONE), turn(2), turn(3, modelMessage=None)]),
        conversation("none", turnsArray=None),
        conversation("model", turnsArray=[turn(1), turn(2, modelMessage=f"{ALL_IN_ONE}\n{ALL_IN_ONE}"), turn(3)]),
        conversation("empty", turnsArray=[]),
    )

    def test_texts_of_user_and_model_lose_their_secrets_and_nothing_else_changes(self) -> None:
        mended = with_secrets_redacted(self.ROWS)
        assert mended.drop("turnsArray").equals(self.ROWS.drop("turnsArray"))
        assert mended.schema == self.ROWS.schema
        told = str(mended.to_dicts())
        assert [secret for secret in GIVEAWAYS if secret in told] == []
        assert mended["turnsArray"].to_list()[1] == [
            turn(1, userMessage=clean(ALL_IN_ONE)),
            turn(2),
            turn(3, modelMessage=None),
        ]
        unharmed = [0, 2, 4]
        assert mended[unharmed].equals(self.ROWS[unharmed])

    def test_what_stands_redacted_is_counted_by_kind_over_both_texts(self) -> None:
        assert redaction_counts(self.ROWS) == dict.fromkeys(KINDS, 0)
        assert redaction_counts(with_secrets_redacted(self.ROWS)) == {
            kind: 3 * len(secrets) for kind, secrets in SECRETS.items()
        }

    def test_no_conversations_hold_none(self) -> None:
        assert with_secrets_redacted(conversations()).equals(conversations())
        assert redaction_counts(conversations()) == dict.fromkeys(KINDS, 0)
