"""One row for each CCSS control; a new feature adds its tests, and its level, to the row it serves.

`level` is what the software gives when it is used as the signer's README says: 1 to 3, or 0 where
people must do it all. Nothing here is a certificate: an auditor grants levels, these are the facts
to begin from. Numbers are those of CCSS 8.
"""

from signer.ccss.control import Control
from signer.ccss.creation_and_storage import CREATION_AND_STORAGE
from signer.ccss.use_and_operation import USE_AND_OPERATION

CONTROLS: tuple[Control, ...] = (*CREATION_AND_STORAGE, *USE_AND_OPERATION)
