"""Every way a scanned or shown message is refused, each with its own stable code."""

from signer.errors import SignerError


class TransportError(SignerError):
    """Root of the transports' refusals."""

    code = "transport.refused"


class UnknownFrame(TransportError):
    """A text that is neither a UR nor a BBQr frame."""

    code = "transport.unknown"


class FrameTooLong(TransportError):
    """A frame longer than the largest QR code."""

    code = "transport.frame_size"


class MessageSize(TransportError):
    """A message that is empty or larger than travels by QR code."""

    code = "transport.message_size"


class TooManyParts(TransportError):
    """A message of more parts than are collected or shown."""

    code = "transport.parts"


class FragmentSize(TransportError):
    """A wish for fragments too small or too large to be shown."""

    code = "transport.fragment_size"


class SequenceTooHigh(TransportError):
    """A part with a number that no honest display reaches."""

    code = "transport.sequence"


class MixedMessages(TransportError):
    """A frame of another message than the one being collected."""

    code = "transport.mixed"


class ConflictingParts(TransportError):
    """Frames that claim to be of one message and contradict each other."""

    code = "transport.conflict"


class Incomplete(TransportError):
    """The frames ended before the message was whole."""

    code = "transport.incomplete"


class NotPsbt(TransportError):
    """Something that travels as a PSBT and does not begin like one."""

    code = "transport.not_psbt"


class BytewordsMalformed(TransportError):
    """Letters that are no bytewords."""

    code = "bytewords.malformed"


class BytewordsChecksum(TransportError):
    """Bytewords whose checksum does not fit."""

    code = "bytewords.checksum"


class CborMalformed(TransportError):
    """Bytes that are not the expected deterministic CBOR."""

    code = "ur.cbor"


class UrMalformed(TransportError):
    """A text that begins as a UR and is none."""

    code = "ur.malformed"


class UrTypeUnknown(TransportError):
    """A UR of a type that this signer does not take."""

    code = "ur.type"


class UrPartInvalid(TransportError):
    """A part whose own fields do not fit together."""

    code = "ur.part"


class UrNumbering(TransportError):
    """A part whose readable numbers are not those inside it."""

    code = "ur.numbering"


class UrChecksum(TransportError):
    """A whole message with another checksum than its parts promised."""

    code = "ur.checksum"


class UrPadding(TransportError):
    """A last fragment with bytes hidden behind the message's end."""

    code = "ur.padding"


class EthRequestInvalid(TransportError):
    """An eth-sign-request of another shape than ERC-4527's."""

    code = "eth_request.malformed"


class EthChainMissing(TransportError):
    """An eth-sign-request that leaves the chain to be guessed."""

    code = "eth_request.chain"


class EthSignatureInvalid(TransportError):
    """An eth-signature of another shape than ERC-4527's."""

    code = "eth_signature.malformed"


class BbqrHeader(TransportError):
    """A BBQr header of another form."""

    code = "bbqr.header"


class BbqrEncoding(TransportError):
    """A BBQr encoding other than H, 2 and Z."""

    code = "bbqr.encoding"


class BbqrType(TransportError):
    """A BBQr file type that this signer does not take."""

    code = "bbqr.type"


class BbqrNumbering(TransportError):
    """A BBQr frame outside its own series."""

    code = "bbqr.numbering"


class BbqrText(TransportError):
    """A BBQr frame whose text is not canonical hex or base32."""

    code = "bbqr.text"


class BbqrLength(TransportError):
    """BBQr frames whose lengths do not fit together."""

    code = "bbqr.length"


class BbqrDeflate(TransportError):
    """A BBQr message that does not inflate."""

    code = "bbqr.deflate"


class BbqrInflated(TransportError):
    """A BBQr message that inflates beyond the limit."""

    code = "bbqr.inflated"


class BbqrTrailing(TransportError):
    """A BBQr message with bytes behind the end of its compressed stream."""

    code = "bbqr.trailing"


class LibraryMissing(TransportError):
    """An optional library that is not installed."""

    code = "scan.library_missing"


class ImageRefused(TransportError):
    """A file that is not an image of a form and size that is opened."""

    code = "scan.image"


class TooManyFrames(TransportError):
    """More pictures or lines than are looked at."""

    code = "scan.frames"


class CameraUnusable(TransportError):
    """A camera that gives no pictures."""

    code = "scan.camera"
