"""Reaching a service of language models with the official SDK.

Belongs here: addresses, keys and who they may be sent to. Does not belong here: what is asked (openai_judge).
"""

import os
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from azure.identity import DefaultAzureCredential, get_bearer_token_provider
from openai import AzureOpenAI, OpenAI

from sft_pipeline.clients.judges.model import Kind
from sft_pipeline.curation.refusal import Refused

OWN_KEY, OPENAI_KEY, AZURE_KEY = "SFT_JUDGE_API_KEY", "OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"
API_VERSION, DEFAULT_API_VERSION = "OPENAI_API_VERSION", "2024-10-21"

_NONE_NEEDED = "none"
_OPENAI = ("openai.com",)
_AZURE = ("azure.com", "azure.us", "azure.cn")
_TOKEN_SCOPE = "https://cognitiveservices.azure.com/.default"  # noqa: S105 - the name of a scope


@dataclass(frozen=True)
class Service:
    """Where a model is served, and how to sign in.

    Args:
        kind: whose paths and headers it speaks.
        address: its URL; empty for OpenAI's own.
        key: empty: the Azure login, or none.
        api_version: of Azure.
        timeout_seconds: how long an answer may take.
    """

    kind: Kind
    address: str
    key: str = field(default="", repr=False)
    api_version: str = DEFAULT_API_VERSION
    timeout_seconds: float = 120.0

    @property
    def told(self) -> str:
        """Its address for people, without what may be secret in it."""
        url = urlsplit(self.address)
        return f"{url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}" if self.address else "OpenAI"

    @contextmanager
    def client(self) -> Generator[OpenAI]:
        """The SDK's client, whose own retries are off, while the block lasts."""
        with ExitStack() as stack:
            yield stack.enter_context(self._azure(stack) if self.kind == "azure_openai" else self._openai())

    def _openai(self) -> OpenAI:
        return OpenAI(
            base_url=self.address or "https://api.openai.com/v1",
            api_key=self.key or _NONE_NEEDED,
            timeout=self.timeout_seconds,
            max_retries=0,
        )

    def _azure(self, stack: ExitStack) -> AzureOpenAI:
        provider = None
        if not self.key:
            credential = stack.enter_context(DefaultAzureCredential())
            provider = get_bearer_token_provider(credential, _TOKEN_SCOPE)
        return AzureOpenAI(
            azure_endpoint=self.address,
            api_key=self.key or None,
            azure_ad_token_provider=provider,
            api_version=self.api_version,
            timeout=self.timeout_seconds,
            max_retries=0,
        )


def service_of(kind: Kind, address: str, environment: Mapping[str, str] = os.environ) -> Service:
    """Where and how, by the variables that hold keys; those of OpenAI and Azure go to no one else.

    Raises:
        Refused: there is no key where one is needed, or the Azure login would go to a stranger.
    """
    own = environment.get(OWN_KEY, "").strip()
    if kind == "azure_openai":
        return _azure_service(address, own or environment.get(AZURE_KEY, "").strip(), environment)
    at_openai = not address or _is_of(address, _OPENAI)
    key = own or (environment.get(OPENAI_KEY, "").strip() if at_openai else "")
    if at_openai and not key:
        raise Refused("OpenAI is the judge, and there is no key", remedy=f"set {OWN_KEY} or {OPENAI_KEY}")
    return Service(kind, address, key)


def _azure_service(address: str, key: str, environment: Mapping[str, str]) -> Service:
    if not address:
        raise Refused(
            "Azure OpenAI is the judge, and it is not said where",
            remedy="set SFT_JUDGE_BASE_URL to the endpoint of the resource, https://<name>.openai.azure.com",
        )
    if not key and not _is_of(address, _AZURE):
        raise Refused(
            f"{urlsplit(address).hostname} is not of Azure: it gets no Azure login", remedy=f"set {OWN_KEY} for it"
        )
    return Service("azure_openai", address, key, environment.get(API_VERSION, "").strip() or DEFAULT_API_VERSION)


def _is_of(address: str, domains: tuple[str, ...]) -> bool:
    url = urlsplit(address)
    host = url.hostname or ""
    return url.scheme == "https" and any(host == domain or host.endswith(f".{domain}") for domain in domains)
