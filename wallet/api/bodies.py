"""What callers send: strict types, bounded text, no unknown fields."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

EXTERNAL_ID = r"^[A-Za-z0-9._:-]{1,128}$"
UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
CODE = r"^[A-Za-z0-9._-]{1,64}$"
ADDRESS = r"^[A-Za-z0-9:]{1,128}$"
AMOUNT = r"^(0|[1-9][0-9]{0,59})(\.[0-9]{1,36})?$"
UNITS = r"^(0|[1-9][0-9]{0,77})$"
LABEL = r"^[A-Za-z0-9 ._:#-]{1,128}$"

HEX = r"^([0-9a-f]{2})*$"
TOTP_CODE = r"^[0-9]{6}$"

Code = Annotated[str, Field(pattern=CODE)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class NewAccount(_Body):
    """A user of the exchange. The same `external_id` is refused the second time."""

    external_id: Annotated[str, Field(pattern=EXTERNAL_ID)]


class NewAddress(_Body):
    """Ask for a fresh deposit address."""

    account_id: Annotated[str, Field(pattern=UUID)]
    network: Code
    label: Annotated[str, Field(pattern=LABEL)] | None = None


class NewWithdrawal(_Body):
    """Ask for a payout. Give `amount` (decimal text) or `amount_units` (base units), not both."""

    external_id: Annotated[str, Field(pattern=EXTERNAL_ID)]
    account_id: Annotated[str, Field(pattern=UUID)]
    asset: Code
    network: Code | None = None
    address: Annotated[str, Field(pattern=ADDRESS)]
    amount: Annotated[str, Field(pattern=AMOUNT)] | None = None
    amount_units: Annotated[str, Field(pattern=UNITS)] | None = None


class NewApproval(_Body):
    """A staff member's signed yes, made with their own key; both fields are hex."""

    body: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){1,1024}$")]
    sig: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class NewWebhook(_Body):
    """A receiver of events. An empty `event_types` means all; "deposit.*" means a family."""

    url: Annotated[str, Field(min_length=8, max_length=2048, pattern=r"^https?://[!-~]+$")]
    event_types: Annotated[
        list[Annotated[str, Field(pattern=r"^[a-z_]{1,20}\.([a-z_]{1,20}(\.[a-z_]{1,20})?|\*)$")]],
        Field(max_length=50),
    ] = []


TotpCode = Annotated[str, Field(pattern=TOTP_CODE)]
Blob = Annotated[str, Field(pattern=HEX, min_length=64, max_length=8192)]
Proof = Annotated[str, Field(pattern=HEX, min_length=16, max_length=144)]


class NewHostedKey(_Body):
    """A key made on a user's device; bytes are hex. `blob` is ciphertext only the device can open.

    `proof` is the key's own ECDSA signature (DER) for the blob. `totp_secret` is the device's new
    second factor (RFC 6238, SHA-1, 6 digits, 30 s) and `totp_code` its code now.
    """

    id: Annotated[str, Field(pattern=UUID)]
    account_id: Annotated[str, Field(pattern=UUID)]
    network: Code
    public_key: Annotated[str, Field(pattern=r"^0[23][0-9a-f]{64}$")]
    address: Annotated[str, Field(pattern=ADDRESS)]
    blob: Blob
    proof: Proof
    totp_secret: Annotated[str, Field(pattern=HEX, min_length=40, max_length=128)]
    totp_code: TotpCode


class SecondFactor(_Body):
    """The code that the enrolled authenticator shows now; each is good once."""

    totp_code: TotpCode


class NewBlob(_Body):
    """The same key under another password; `version` is the stored one plus one."""

    version: Annotated[int, Field(ge=2, le=10**9)]
    blob: Blob
    proof: Proof
    totp_code: TotpCode


class NewAuthenticator(_Body):
    """A new second factor for a key whose authenticator is lost; `number` is the next one.

    `proof` is the hosted key's own ECDSA signature (DER) for it.
    """

    number: Annotated[int, Field(ge=2, le=10**9)]
    totp_secret: Annotated[str, Field(pattern=HEX, min_length=40, max_length=128)]
    totp_code: TotpCode
    proof: Proof


class NewHostedPayment(_Body):
    """Ask for unsigned bytes. Give `amount` or `amount_units` (base units), not both."""

    asset: Code
    address: Annotated[str, Field(pattern=ADDRESS)]
    amount: Annotated[str, Field(pattern=AMOUNT)] | None = None
    amount_units: Annotated[str, Field(pattern=UNITS)] | None = None


class SignedPayment(_Body):
    """The prepared transaction with its signatures, ready to send, in hex."""

    signed: Annotated[str, Field(pattern=HEX, min_length=2, max_length=60_000)]
