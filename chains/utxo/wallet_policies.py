"""Wallet policies (BIP-388), the subset that is a descriptor of ours in two parts.

A policy is a template such as `wsh(sortedmulti(2,@0/**,@1/**,@2/**))` and the keys that its
placeholders stand for. Each placeholder is there once, in order.
"""

import re
from collections.abc import Sequence

from chains.hd import KeyOrigin
from chains.utxo.descriptors import DescriptorError, DescriptorVault, with_checksum

TEMPLATE_CHARS_MAX = 256
"""Fifteen placeholders take about 120 characters."""

KEYS_MAX = 15
"""As many as one multisig script holds."""

_PLACEHOLDER = re.compile(r"@(?P<index>0|[1-9][0-9]?)/(?:\*\*|<0;1>/\*)")


class WalletPolicyError(DescriptorError):
    """A template that is malformed, or keys that are not the ones it asks for."""

    code = "wallet_policy.invalid"


class Placeholders(WalletPolicyError):
    """Placeholders that are missing, repeated or out of order."""

    code = "wallet_policy.placeholders"


def descriptor_of(template: str, keys: Sequence[str]) -> str:
    """The descriptor, with its checksum, of a template and its keys with origins.

    Raises WalletPolicyError or ExtendedKeyError; which shapes exist is the descriptor's business.
    """
    if len(template) > TEMPLATE_CHARS_MAX:
        raise WalletPolicyError(f"got a template of {len(template)} characters, expected 256")
    if len(keys) > KEYS_MAX:
        raise WalletPolicyError(f"got {len(keys)} keys, expected at most {KEYS_MAX}")
    found = [int(match["index"]) for match in _PLACEHOLDER.finditer(template)]
    if found != list(range(len(found))):
        raise Placeholders(f"got placeholders {found}, expected each once and in order from @0")
    if len(found) != len(keys):
        raise Placeholders(f"got {len(keys)} keys for {len(found)} placeholders")
    if "@" in _PLACEHOLDER.sub("", template) or "[" in template:
        raise WalletPolicyError("got a template with more than placeholders in the place of keys")
    origins = [KeyOrigin.parse(key).text for key in keys]
    return with_checksum(
        _PLACEHOLDER.sub(lambda match: f"{origins[int(match['index'])]}/<0;1>/*", template)
    )


def policy_of(vault: DescriptorVault) -> tuple[str, tuple[str, ...]]:
    """The template and the keys of a vault: the other way round."""
    template = vault.text.partition("#")[0]
    for index, key in enumerate(vault.keys):
        template = template.replace(f"{key.text}/<0;1>/*", f"@{index}/**")
    return template, tuple(key.text for key in vault.keys)
