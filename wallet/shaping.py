"""The hot vault's coins brought into shape: many small ones into one, one large into the pool's.

One reshape of a network at a time, paid back into the same vault. Every pass decides anew from the
coins that are free, so a restart in the middle simply continues.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from chains.types import Family, OutPoint
from chains.utxo import fees
from chains.utxo.coins import Coin
from chains.utxo.descriptors import DescriptorVault
from signer.protocol import Intent, OwnOutput, Payee, Purpose
from wallet.addresses.issuing import Address, issue_own
from wallet.addresses.issuing import Purpose as AddressPurpose
from wallet.coins.pool import missing_sizes
from wallet.payments import journal
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.utxo import spendable
from wallet.payments.desk import PaymentDesk
from wallet.payments.errors import NotBuilt
from wallet.settings import NetworkSettings

INTENT_LIFE_S = 3600
"""A reshape not signed within an hour is decided anew."""

REFUSED_PAUSE_S = 3600
"""After a reshape came to nothing its network is left alone so long."""

INPUTS_MAX = 100
"""Coins that one consolidation takes: about 10,000 vbytes, a tenth of what nodes relay."""

PIECES_MAX = 20
"""Coins that one fan-out makes."""

REQUESTER = "wallet:shaping"
"""Who asks for a reshape: the service itself."""


class CheapHours(Protocol):
    """Who knows whether block space is cheap now."""

    def is_cheap(self, network: str, percent: int, ceiling: int) -> bool:
        """Among the cheapest `percent` of hours known, and at most `ceiling`. Raises NodeError."""
        ...


class Shaper:
    """Builds reshapes, one pass at a time."""

    def __init__(self, desk: PaymentDesk, hours: CheapHours) -> None:
        self._desk = desk
        self._context = desk.context
        self._hours = hours
        self._resting_until_s: dict[str, int] = {}

    def run(self, network: str) -> int:
        """One pass over a network; returns the payments built, 0 or 1. Raises NodeError."""
        context, settings = self._context, self._context.networks[network]
        if context.chains[network].family is not Family.UTXO or self._rests(network):
            return 0
        if not (settings.coin_pool or settings.small_coin_units):
            return 0
        feerate = context.prices.feerate_units(context.chains[network])
        with context.database.read() as tx:
            coins = spendable(tx, network, settings.hot)
        if self._is_fragmented(settings, coins) and self._hours.is_cheap(
            network, settings.cheap_percent, settings.feerate_long_term
        ):
            chosen = self._small_coins(settings, coins, feerate)
            return self._reshape(settings, chosen, self._whole(settings, chosen, feerate))
        if feerate <= settings.feerate_long_term:
            found = self._fan_out(settings, coins, feerate)
            if found is not None:
                return self._reshape(settings, [found[0]], found[1])
        return 0

    def _rests(self, network: str) -> bool:
        """True while a reshape is under way, or the last one came to nothing just now."""
        now_s = self._context.clock.now_s()
        if now_s < self._resting_until_s.get(network, 0):
            return True
        with self._context.database.read() as tx:
            around = journal.unfinished(tx, network, purposes=(Purpose.RESHAPE,))
            around += journal.abandoned_after(
                tx, network, (Purpose.RESHAPE,), now_s - REFUSED_PAUSE_S
            )
        return bool(around)

    def _is_fragmented(self, settings: NetworkSettings, coins: Sequence[Coin]) -> bool:
        small = [coin for coin in coins if coin.sats < settings.small_coin_units]
        return len(small) > settings.small_coins_max

    def _small_coins(
        self, settings: NetworkSettings, coins: Sequence[Coin], feerate: int
    ) -> list[Coin]:
        """The smallest coins that are worth more than their own input, within the fee cap."""
        cost = self._input_sats(settings, feerate)
        worth = sorted(
            (coin for coin in coins if cost < coin.sats < settings.small_coin_units),
            key=lambda coin: (coin.sats, coin.outpoint),
        )
        # Two inputs' worth stays free for the output and the frame.
        affordable = settings.fee_units_max // max(cost, 1) - 2
        return worth[: max(min(INPUTS_MAX, affordable), 0)]

    def _whole(self, settings: NetworkSettings, coins: Sequence[Coin], feerate: int) -> list[int]:
        """All of these coins as one, less the fee; nothing when that is hardly more than dust."""
        if len(coins) < 2:
            return []
        rest = sum(coin.sats for coin in coins) - self._fee_sats(settings, len(coins), 1, feerate)
        dust_sats = self._context.params[settings.id].dust_sats
        return [rest] if rest > dust_sats + self._input_sats(settings, feerate) else []

    def _fan_out(
        self, settings: NetworkSettings, coins: Sequence[Coin], feerate: int
    ) -> tuple[Coin, list[int]] | None:
        """The largest coin and what to make of it, if less is missing afterwards."""
        held = [coin.sats for coin in coins]
        missing = sorted(missing_sizes(settings.coin_pool, held))
        if not missing or not coins:
            return None
        largest = max(coins, key=lambda coin: (coin.sats, coin.outpoint))
        others = list(held)
        others.remove(largest.sats)
        pieces: list[int] = []
        for size in missing[: PIECES_MAX - 1]:
            rest = largest.sats - sum(pieces) - size
            rest -= self._fee_sats(settings, 1, len(pieces) + 2, feerate)
            if rest < size:
                break
            pieces.append(size)
        if not pieces:
            return None
        fee = self._fee_sats(settings, 1, len(pieces) + 1, feerate)
        made = [*pieces, largest.sats - sum(pieces) - fee]
        after = missing_sizes(settings.coin_pool, [*others, *made])
        return (largest, made) if len(after) < len(missing) else None

    def _reshape(
        self, settings: NetworkSettings, coins: Sequence[Coin], pieces: Sequence[int]
    ) -> int:
        """Store the payment, or rest when it cannot be built now."""
        if not pieces:
            return 0
        context, now_s = self._context, self._context.clock.now_s()
        with context.database.write() as tx:
            fresh = [
                issue_own(
                    tx,
                    context.deriver,
                    network=settings.id,
                    source=settings.hot,
                    purpose=AddressPurpose.HOT,
                    now_s=now_s,
                )
                for _ in pieces
            ]
        paid = dict(zip((address.address for address in fresh), pieces, strict=True))
        order = self._order(settings, [coin.outpoint for coin in coins], fresh, paid, now_s)
        try:
            self._desk.start(order)
        except NotBuilt:
            self._resting_until_s[settings.id] = now_s + REFUSED_PAUSE_S
            return 0
        return 1

    def _order(
        self,
        settings: NetworkSettings,
        coins: Sequence[OutPoint],
        fresh: Sequence[Address],
        paid: Mapping[str, int],
        now_s: int,
    ) -> SpendOrder:
        asset = self._context.native_asset(settings.id)
        intent = Intent(
            intent_id=self._context.new_id(),
            purpose=Purpose.RESHAPE,
            network=settings.id,
            asset=asset,
            source=settings.hot,
            payees=tuple(Payee(address=a.address, units=paid[a.address]) for a in fresh),
            fee_units_max=settings.fee_units_max,
            requester=REQUESTER,
            created_s=now_s,
            expires_s=now_s + INTENT_LIFE_S,
        )
        return SpendOrder(
            network=settings.id,
            asset=asset,
            source=settings.hot,
            purpose=Purpose.RESHAPE,
            intents=(intent,),
            own=tuple(
                OwnOutput(address=a.address, source=a.source, branch=a.branch, index=a.position)
                for a in fresh
            ),
            coins=tuple(coins),
        )

    def _fee_sats(self, settings: NetworkSettings, inputs: int, outputs: int, feerate: int) -> int:
        vault = self._vault(settings)
        scripts = [vault.script_pubkey_at(0, 0)] * outputs
        return fees.fee_sats(fees.transaction_vsize([vault] * inputs, scripts), feerate)

    def _input_sats(self, settings: NetworkSettings, feerate: int) -> int:
        return fees.fee_sats(fees.vbytes(fees.input_weight(self._vault(settings))), feerate)

    def _vault(self, settings: NetworkSettings) -> DescriptorVault:
        vault = self._context.vault(settings.hot)
        if not isinstance(vault, DescriptorVault):
            raise NotBuilt(f"got source {settings.hot!r}, expected a descriptor vault")
        return vault
