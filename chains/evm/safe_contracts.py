"""The published Safe contracts, by version, as safe-global/safe-deployments lists them.

Generated data, kept here to be reviewed in a diff: a Safe whose singleton is not one of these does
not run the code that was audited (Bybit lost 1.5 billion dollars to a replaced singleton).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeRelease:
    """One release at its canonical addresses, EIP-55."""

    version: str
    singleton: str
    singleton_l2: str
    factory: str
    multisend: str
    """MultiSendCallOnly: the one contract that a Safe may delegatecall."""


RELEASES: Mapping[str, SafeRelease] = {
    release.version: release
    for release in (
        SafeRelease(
            version="1.3.0",
            singleton="0xd9Db270c1B5E3Bd161E8c8503c55cEABeE709552",
            singleton_l2="0x3E5c63644E683549055b9Be8653de26E0B4CD36E",
            factory="0xa6B71E26C5e0845f74c812102Ca7114b6a896AB2",
            multisend="0x40A2aCCbd92BCA938b02010E17A5b8929b49130D",
        ),
        SafeRelease(
            version="1.4.1",
            singleton="0x41675C099F32341bf84BFc5382aF534df5C7461a",
            singleton_l2="0x29fcB43b46531BcA003ddC8FCB67FFE91900C762",
            factory="0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67",
            multisend="0x9641d764fc13c8B624c04430C7356C1C7C8102e2",
        ),
        SafeRelease(
            version="1.5.0",
            singleton="0xFf51A5898e281Db6DfC7855790607438dF2ca44b",
            singleton_l2="0xEdd160fEBBD92E350D4D398fb636302fccd67C7e",
            factory="0x14F2982D601c9458F93bd70B218933A6f8165e7b",
            multisend="0xA83c336B20401Af773B6219BA5027174338D1836",
        ),
    )
}
"""Versions whose domain has the chain id; 1.2.0 and older are refused for lacking it."""
