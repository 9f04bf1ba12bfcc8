"""One pass of gathering over a network: look, decide the way of each address, build."""

from collections.abc import Sequence

import structlog

from chains.evm.addresses import from_text
from chains.evm.sweeper import runtime_code, sweeper_address
from chains.types import BlockRef, Family
from wallet.deposits.crediting import unbooked_units
from wallet.deposits.watcher import last_scanned
from wallet.gathers.batches import Batches, Share
from wallet.gathers.books import (
    Heap,
    busy_addresses,
    heaps,
    moved_nothing,
)
from wallet.gathers.deciding import Candidate, Delegation, Way, ways
from wallet.gathers.delegations import NOBODY, Delegations, Standing
from wallet.gathers.orders import Orders
from wallet.gathers.plain import PlainGathers, Turn
from wallet.gathers.ports import GatherDoor
from wallet.gathers.settling import BatchBook
from wallet.payments.building.evm import PLAIN_GAS, EvmQuote
from wallet.payments.desk import PaymentDesk
from wallet.payments.errors import NotBuilt, SenderBusy
from wallet.settings import AssetSettings

_LOG = structlog.get_logger()


class Gatherer:
    """Moves what lies on deposit addresses to hot, one pass at a time."""

    def __init__(self, desk: PaymentDesk) -> None:
        self._desk = desk
        self._context = desk.context
        self._orders = Orders(desk.context)
        self._plain = PlainGathers(desk, self._orders)
        self._delegations = Delegations(desk, self._orders)
        self._batches = Batches(desk, self._orders, self._delegations)
        self._book = BatchBook(desk.context)
        self._sweepers_seen: set[str] = set()
        self._sweepers_missed: set[str] = set()

    def run(self, network: str) -> int:
        """One pass over a network; returns the payments built. Raises NodeError."""
        context = self._context
        if context.chains[network].family is not Family.EVM:
            return 0
        if self._has_sweeper(network):
            self._book.run(network, self._door(network))
            self._delegations.follow(network, self._door(network))
        if self._too_dear(network):
            return 0
        native = context.native_asset(network)
        # Tokens first: their gas must not be gathered away before they are.
        assets = sorted(
            (a for a in context.assets.values() if a.network == network),
            key=lambda asset: (asset.code == native, asset.code),
        )
        return sum(self._gather_asset(asset, is_native=asset.code == native) for asset in assets)

    def _gather_asset(self, asset: AssetSettings, *, is_native: bool) -> int:
        """Build for one asset what is worth it now."""
        network = asset.network
        with self._context.database.read() as tx:
            at = last_scanned(tx, network)
            if at is None:
                return 0
            busy = busy_addresses(tx, network, self._context.clock.now_s())
            waiting = [
                heap
                for heap in heaps(tx, asset, is_native=is_native)
                if heap.units >= max(1, asset.gather_units_min) and heap.sender.address not in busy
            ]
            standings = self._delegations.standings(tx, network) if waiting else {}
            stuck = moved_nothing(tx, asset.code, network)
        turns: dict[str, tuple[Turn, Candidate]] = {}
        for heap in waiting:
            try:
                turn, unbooked = self._turn(asset, heap, at)
            except NotBuilt:
                continue
            if turn.units >= max(1, asset.gather_units_min):
                candidate = Candidate(
                    address=heap.sender.address,
                    delegation=standings.get(heap.address_id, NOBODY).state,
                    transfer_gas=_transfer_gas(turn.quote),
                    needs_gas=turn.missing_wei > 0,
                    unbooked=unbooked,
                    is_native=is_native,
                    moved_nothing=heap.address_id in stuck,
                )
                turns[heap.sender.address] = (turn, candidate)
        chosen = ways(
            [candidate for _, candidate in turns.values()],
            has_sweeper=self._has_sweeper(network),
        )
        together = [turns[one] for one, way in chosen.items() if way is Way.BATCH]
        built = self._batch(asset, together, standings)
        alone = [turns[one][0] for one, way in chosen.items() if way is Way.PLAIN]
        return built + self._one_by_one(asset, alone)

    def _turn(self, asset: AssetSettings, heap: Heap, at: BlockRef) -> tuple[Turn, bool]:
        """What may leave an address now, and whether it holds more that is not booked yet."""
        with self._context.database.read() as tx:
            coming = unbooked_units(tx, asset.network, asset.code, heap.sender.address)
        chain = self._context.chains[asset.network]
        free = chain.balance_units(heap.target, asset.code, at) - coming
        if free < max(1, asset.gather_units_min):
            raise NotBuilt(f"got {free} {asset.code} free at {heap.sender.address}")
        return self._plain.quote(asset, heap, free), coming > 0

    def _batch(
        self,
        asset: AssetSettings,
        together: Sequence[tuple[Turn, Candidate]],
        standings: dict[str, Standing],
    ) -> int:
        """Ask for the leave that is missing, then let the sweeper empty whose leave there is."""
        if not together:
            return 0
        network, door = asset.network, self._door(asset.network)
        asked = [t for t, c in together if c.delegation is Delegation.NONE]
        try:
            for turn in asked:
                self._delegations.ask(network, turn.heap, door)
            if asked:
                with self._context.database.read() as tx:
                    standings = self._delegations.standings(tx, network)
            shares = [
                Share(
                    heap=turn.heap,
                    candidate=candidate,
                    units=turn.heap.units,
                    standing=standings.get(turn.heap.address_id, NOBODY),
                )
                for turn, candidate in together
            ]
            ready = [share for share in shares if _is_ready(share.standing)]
            return self._batches.build(asset, ready, door)
        except NotBuilt as error:
            # Too dear, or hot is busy or short of gas: decided anew in the next pass.
            _LOG.info("gather.batch_waits", asset=asset.code, reason=error.code)
            return 0

    def _one_by_one(self, asset: AssetSettings, turns: Sequence[Turn]) -> int:
        built = 0
        for turn in turns:
            try:
                built += self._plain.gather(asset, turn)
            except SenderBusy:
                break
            except NotBuilt:
                continue
        return built

    def _too_dear(self, network: str) -> bool:
        """Whether gas costs more than gathers may pay here; they wait for cheaper hours."""
        limit = self._context.networks[network].gather_feerate_max
        return bool(limit) and self._context.chains[network].feerate_units() > limit

    def _has_sweeper(self, network: str) -> bool:
        """Whether the configured sweeper is on the chain, byte for byte; asked until it is seen."""
        text = self._context.networks[network].sweeper
        if not text or network in self._sweepers_seen:
            return bool(text)
        hot = from_text(self._orders.hot(network).address)
        address = from_text(text)
        if address != sweeper_address(hot) or self._door(network).code_at(address) != runtime_code(
            hot
        ):
            if network not in self._sweepers_missed:
                _LOG.warning("gather.no_sweeper", network=network, sweeper=text)
                self._sweepers_missed.add(network)
            return False
        self._sweepers_seen.add(network)
        return True

    def _door(self, network: str) -> GatherDoor:
        return self._desk.evm.door(network)  # type: ignore[return-value]


def _transfer_gas(quote: EvmQuote) -> int:
    """The chain's estimate: the quote has a quarter more, except for a plain transfer."""
    return quote.gas_limit if quote.gas_limit == PLAIN_GAS else quote.gas_limit * 4 // 5


def _is_ready(standing: Standing) -> bool:
    return standing.state is Delegation.ACTIVE or standing.leave is not None
