"""What is checked before any work is done on a frame."""

FRAME_CHARS_MAX = 4296
"""Letters and digits in the largest QR code (version 40, level L): nothing longer was scanned."""

MESSAGE_BYTES_MAX = 1024 * 1024
"""Largest message by QR code, also after inflating; larger ones travel as files."""

PARTS_MAX = 1024
"""Fragments of one UR message."""

BBQR_PARTS_MAX = 1295
"""`ZZ` in base 36."""

SEQUENCE_MAX = 1_000_000
"""Highest part number: three days of an animation at four frames a second."""

FRAGMENT_BYTES_MIN = 20
"""Smaller ones are mostly header. Twice the least of BCR-2020-005's reference encoder."""

FRAGMENT_BYTES_MAX = 1000
"""Larger ones need a QR code beyond version 27, which cameras read badly."""

IMAGE_BYTES_MAX = 64 * 1024 * 1024
IMAGE_PIXELS_MAX = 40_000_000
FRAMES_MAX = 10_000
TEXT_BYTES_MAX = 16 * 1024 * 1024
