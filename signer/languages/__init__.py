"""What a person at the signer reads, in their own language; numbers, addresses and codes stay."""

from signer.languages.catalogue import CATALOGUE, accepted, say
from signer.languages.messages import Language, Message

__all__ = ["CATALOGUE", "Language", "Message", "accepted", "say"]
