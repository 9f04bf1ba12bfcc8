"""The folder of images: found by their tags, and which scheduled ones have done their time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wallet.duties import DAY_S
from wallet.mirrors.errors import BadTag, ImageMalformed, ImageNotFound, MirrorError
from wallet.mirrors.image import read_manifest
from wallet.mirrors.manifest import Manifest

SUFFIX = ".image"
SCHEDULED = "auto-"
"""What tags of scheduled images start with; people's tags may not, and are never removed."""

_TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An image in the folder. `manifest` is None where the file is none or was cut."""

    tag: str
    path: Path
    size: int
    manifest: Manifest | None

    @property
    def is_scheduled(self) -> bool:
        """Whether retention may remove it."""
        return self.tag.startswith(SCHEDULED)


class ImageFolder:
    """Images by tag; the files are all there is, no table remembers them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, data_dir: Path) -> "ImageFolder":
        """The folder of a deployment."""
        return cls(data_dir.joinpath("images"))

    def file_of(self, tag: str) -> Path:
        """Where the image of a tag is, or would be. Raises BadTag."""
        if not _TAG.fullmatch(tag) or ".." in tag:
            raise BadTag(
                f"got tag {tag[:64]!r}, expected 1 to 63 of a-z, 0-9, '.', '_' and '-', "
                "beginning with a letter or digit"
            )
        return self.path.joinpath(f"{tag}{SUFFIX}")

    def chosen(self, tag: str) -> Path:
        """Where the image of a new tag of a person's goes. Raises BadTag."""
        if tag.startswith(SCHEDULED):
            raise BadTag(f"got tag {tag!r}: {SCHEDULED} is for scheduled images, which are removed")
        return self.file_of(tag)

    def find(self, tag: str) -> Path:
        """The file of a tag. Raises BadTag or ImageNotFound."""
        path = self.file_of(tag)
        if not path.is_file():
            known = ", ".join(one.tag for one in self.listed()[:10]) or "none"
            raise ImageNotFound(
                f"got tag {tag!r}, expected one of the images in {self.path}: {known}"
            )
        return path

    def listed(self) -> list[Listed]:
        """Every image, the newest first; those that do not parse come last."""
        found = [_listed(path) for path in sorted(self.path.glob(f"*{SUFFIX}"))]
        return sorted(found, key=lambda one: (_created_s(one), one.tag), reverse=True)

    def newest(self) -> Manifest | None:
        """The newest image's manifest."""
        found = self.listed()
        return found[0].manifest if found else None


def scheduled_tag(now_s: int) -> str:
    """The tag of an image taken now by the schedule."""
    return f"{SCHEDULED}{datetime.fromtimestamp(now_s, UTC):%Y%m%d-%H%M%S}"


def outlived(images: Sequence[Listed], now_s: int, *, daily: int, weekly: int) -> list[Listed]:
    """Scheduled images that nothing keeps: the day's, one a day and one a week are kept.

    Of a day and of a week it is the last image. The newest image of all always stays.
    """
    scheduled = [one for one in images if one.is_scheduled and one.manifest is not None]
    kept = set()
    for days, count in ((1, daily), (7, weekly)):
        period_s, seen = days * DAY_S, set[int]()
        for one in scheduled:
            ago = now_s // period_s - _created_s(one) // period_s
            if ago < count and ago not in seen:
                seen.add(ago)
                kept.add(one.tag)
    return [
        one for one in scheduled[1:] if one.tag not in kept and _created_s(one) <= now_s - DAY_S
    ]


def _listed(path: Path) -> Listed:
    try:
        manifest = read_manifest(path)
    except (MirrorError, ImageMalformed):
        manifest = None
    return Listed(
        tag=path.name.removesuffix(SUFFIX),
        path=path,
        size=path.stat().st_size,
        manifest=manifest,
    )


def _created_s(one: Listed) -> int:
    return 0 if one.manifest is None else one.manifest.created_s
