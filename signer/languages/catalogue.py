"""Every language's messages, and how one is said."""

from collections.abc import Mapping

from signer.languages import english, japanese, simplified_chinese, traditional_chinese
from signer.languages.messages import Language, Message

CATALOGUE: Mapping[Language, Mapping[Message, str]] = {
    Language.ENGLISH: english.MESSAGES,
    Language.SIMPLIFIED_CHINESE: simplified_chinese.MESSAGES,
    Language.TRADITIONAL_CHINESE: traditional_chinese.MESSAGES,
    Language.JAPANESE: japanese.MESSAGES,
}
"""All that can be said; a test holds that no language lacks a message or a value in one."""


def say(language: Language, message: Message, **values: object) -> str:
    """A message with its values put in as they are; clean them first."""
    return CATALOGUE[language][message].format_map(values)


def accepted(language: Language) -> frozenset[str]:
    """The answers that mean yes; anything else is no."""
    return frozenset({"y", "yes", CATALOGUE[language][Message.YES]})
