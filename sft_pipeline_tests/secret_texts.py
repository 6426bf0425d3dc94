"""Made-up secrets of every kind, each whole, put together here so that no file of this project holds one.

Belongs here: secrets, and the texts of people around them. Does not belong here: assertions.
"""

import re

LETTERS = "aB3dE5fG7hJ9kLmNpQrStUvWxYz2468AbCdEfGhJkMnPqRsTuVwXyZ13579zYxWvUt"

SECRETS: dict[str, tuple[str, ...]] = {
    "private_key": (
        "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7Zx9\nq0vR\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN " + "OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEA\\n-----END OPENSSH PRIVATE KEY-----",
    ),
    "url_password": ("correct-horse:battery", "%40dmin%21x", "s3cr3t"),
    "sas_signature": ("Ab" * 18 + "%2Bcd%2F" + "E" * 6 + "%3D", "Zy" * 21 + "x="),
    "azure_key": (LETTERS[:43] + LETTERS[:43] + "==",),
    "aws_secret_access_key": (LETTERS[:20] + "/" + LETTERS[20:39],),
    "aws_access_key_id": ("AKIA" + "IOSFODNN7EXAMPLE", "ASIA" + "Y34FZKBOKMUTVV7A"),
    "github_token": (
        *(f"{kind}_{LETTERS[:36]}" for kind in ("ghp", "gho", "ghu", "ghs", "ghr")),
        "github_" + f"pat_{LETTERS[:22]}_{LETTERS[:59]}",
    ),
    "jwt": ("eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0." + LETTERS[:43],),
    "slack_token": ("xox" + "b-123456789012-abcdefGHIJKL", "xox" + "p-1234567890-abcdef"),
    "openai_key": (
        "sk-" + LETTERS[:48],
        "sk-" + "proj-" + LETTERS + "_-" + LETTERS,
        "sk-" + "ant-api03-" + LETTERS[:40] + "-_AA",
    ),
    "google_api_key": ("AIza" + "Sy" + LETTERS[:28] + "-_abc",),
    "npm_token": ("npm_" + LETTERS[:36],),
    "pypi_token": ("pypi-" + "AgEIcHlwaS5vcmcCJ" + LETTERS,),
}
"""Kind -> secrets of it, without what stands around them."""

AROUND = {
    "url_password": "postgres://app:{}@db.internal:5432/orders",
    "sas_signature": "https://account.blob.core.windows.net/c/b?sv=2024-11-04&sig={}&se=2030-01-01",
    "azure_key": "DefaultEndpointsProtocol=https;AccountName=account;AccountKey={};EndpointSuffix=core.windows.net",
    "aws_secret_access_key": 'aws_secret_access_key = "{}"',
}
"""How a secret of a kind is written where it is known by what stands around it."""

EVERY = [(kind, secret) for kind, secrets in SECRETS.items() for secret in secrets]

GIVEAWAYS = tuple(max(re.split(r"[\s\\]+", secret), key=len) for _, secret in EVERY)
"""Of each secret the longest piece that looks the same however a text is escaped: what must be nowhere."""


def written(kind: str, secret: str) -> str:
    """The secret, or what stands in its place, as people write it."""
    return AROUND.get(kind, "{}").replace("{}", secret)


ALL_IN_ONE = "\n".join(f"here is mine: {written(kind, secret)} - does it work?" for kind, secret in EVERY)
"""A text with every secret."""
