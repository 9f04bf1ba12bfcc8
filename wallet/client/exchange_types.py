"""What the routes of the exchange's engines give back. `..._units` are `int` base units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What an account bears of a loss; `rounded_up` says that one unit is the remainder's."""

    account_id: str
    gain_units: int
    share: str
    share_units: int
    rounded_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewShare:
    """A share beside what the account has available for it."""

    account_id: str
    gain_units: int
    share: str
    share_units: int
    rounded_up: bool
    available: str
    available_units: int
    covered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApportionmentPreview:
    """What sharing a loss out would take from whom."""

    asset: str
    sub_account: str
    receiver_id: str | None
    loss: str
    loss_units: int
    gains_units: int
    covered: bool
    shares: tuple[PreviewShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apportionment:
    """A loss that was shared out, in the order of account ids."""

    id: str
    external_id: str
    asset: str
    sub_account: str
    receiver_id: str | None
    loss: str
    loss_units: int
    gains_units: int
    created_s: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAccountTransfer:
    """A transfer between the parts of one account."""

    id: str
    external_id: str
    account_id: str
    asset: str
    from_sub_account: str
    to_sub_account: str
    amount: str
    amount_units: int
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrow:
    """Money of one user held for another; `fee` is a part of what was released."""

    id: str
    external_id: str
    asset: str
    payer_id: str
    payer_sub_account: str
    payee_id: str
    payee_sub_account: str
    amount: str
    amount_units: int
    held: str
    held_units: int
    released: str
    released_units: int
    fee: str
    fee_units: int
    fee_basis_points: int
    status: str
    reason: str
    decided_by: str
    created_s: int
    updated_s: int
    deadline_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a settlement; `results` has a name for each transfer, in their order."""

    external_id: str
    mode: str
    status: str
    height: int
    state_hash: str
    repeated: bool
    posted_count: int
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedSettlement:
    """Where in the ledger a settlement is."""

    external_id: str
    height: int
    state_hash: str
