"""A settlement's body to ledger transfers: read, checked and mapped, beside what others take.

50,000 transfers between 100,000 accounts. The peers only read: the standard library without a
check, pydantic with the same fields and limits.
"""

import json
from random import Random  # noqa: TID251 - the same trades in every run
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from tests.bench.timing import BenchRow, best_ns
from wallet.settlements.mapping import Refused, transfers_of
from wallet.settlements.wire import (
    JSON,
    MSGPACK,
    TRANSFERS_MAX,
    SettlementOrder,
    TransferOrder,
    decode,
)

ROUNDS = 5
ACCOUNTS = 100_000
NOTHING = Refused(accounts=(), assets=(), holds=())

AIM_NS = 7_692 // 2
"""Half of what one transfer of 130,000 a second has: the ledger has the other."""

Part = Literal["spot", "margin", "contract"]


class PydanticTransfer(BaseModel):
    """The same fields and limits as TransferOrder."""

    model_config = ConfigDict(strict=True, extra="forbid")

    id: Annotated[str, Field(max_length=36)]
    kind: Literal["single", "hold", "post", "void"] = "single"
    debit_account_id: Annotated[str, Field(max_length=36)] = ""
    debit_sub_account: Part = "spot"
    credit_account_id: Annotated[str, Field(max_length=36)] = ""
    credit_sub_account: Part = "spot"
    asset: Annotated[str, Field(max_length=64)] = ""
    units: Annotated[str, Field(max_length=61)] = ""
    hold_id: Annotated[str, Field(max_length=36)] = ""
    expires_s: Annotated[int, Field(ge=0, le=2**62)] = 0
    linked: bool = False


class PydanticSettlement(BaseModel):
    """The same as SettlementOrder."""

    model_config = ConfigDict(strict=True, extra="forbid")

    external_id: Annotated[str, Field(min_length=1, max_length=100)]
    mode: Literal["atomic", "best_effort"]
    transfers: Annotated[list[PydanticTransfer], Field(min_length=1, max_length=TRANSFERS_MAX)]


def settlement() -> SettlementOrder:
    """Trades between many accounts; the same in every run."""
    random = Random(5)
    accounts = [str(UUID(int=random.getrandbits(128))) for _ in range(ACCOUNTS)]
    transfers = [
        TransferOrder(
            id=str(UUID(int=random.getrandbits(128))),
            debit_account_id=random.choice(accounts),
            debit_sub_account="contract",
            credit_account_id=random.choice(accounts),
            credit_sub_account="contract",
            asset="USDT",
            units=str(random.randrange(1, 10**9)),
        )
        for _ in range(TRANSFERS_MAX)
    ]
    return SettlementOrder(external_id="bench", mode="best_effort", transfers=transfers)


def rows() -> list[BenchRow]:
    """Nanoseconds a transfer, for both encodings."""
    order = settlement()
    as_json, as_msgpack = msgspec.json.encode(order), msgspec.msgpack.encode(order)

    def ours(body: bytes, media_type: str) -> int:
        return best_ns(
            lambda: transfers_of(decode(body, media_type), NOTHING),
            rounds=ROUNDS,
            units=TRANSFERS_MAX,
        )

    def theirs(read: object) -> int:
        assert callable(read)
        return best_ns(lambda: read(as_json), rounds=ROUNDS, units=TRANSFERS_MAX)

    json_ns = ours(as_json, JSON)
    return [
        BenchRow(
            work="a transfer of a settlement in JSON: read, checked, mapped",
            ours=json_ns,
            peer="json.loads alone",
            theirs=theirs(json.loads),
            aim=AIM_NS,
        ),
        BenchRow(
            work="the same",
            ours=json_ns,
            peer="pydantic reading alone",
            theirs=theirs(PydanticSettlement.model_validate_json),
        ),
        BenchRow(
            work="a transfer of a settlement in MessagePack: read, checked, mapped",
            ours=ours(as_msgpack, MSGPACK),
            peer="json.loads alone",
            theirs=theirs(json.loads),
            aim=AIM_NS,
            note=f"bytes a transfer: JSON {len(as_json) // TRANSFERS_MAX}, "
            f"MessagePack {len(as_msgpack) // TRANSFERS_MAX}",
        ),
    ]
