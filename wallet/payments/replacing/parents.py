"""A child that pays for its stuck parent (CPFP): our own unconfirmed change, back to ourselves.

Its fee makes the two of them together worth mining. It is for payments that nothing can replace
any more, because their intents have expired. The child is a payment of its own, whose one payee is
the vault that pays: signers sign it by the rules of reshaping coins.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from chains.ports import PoolFamilies
from chains.types import OutPoint, Relative
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.fees import fee_sats, transaction_vsize
from chains.utxo.psbt import Psbt
from chains.utxo.psbt_roles import build as build_psbt
from signer.protocol import Intent, Kind, OwnOutput, Payee, Purpose
from wallet.addresses.issuing import Address, find_by_targets, issue_own
from wallet.addresses.issuing import Purpose as AddressPurpose
from wallet.payments import journal
from wallet.payments.building.judging import Fee, check_caps, judge
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.requesting import REQUEST_LIFE_S, seal_request
from wallet.payments.building.utxo import CHANGE_BRANCH
from wallet.payments.context import PaymentContext
from wallet.payments.errors import NotBuilt
from wallet.payments.journal import NewPayment, Payment
from wallet.payments.replacing.building import (
    FeeAtCap,
    NotReplaceable,
    NotStuck,
    check_stuck,
    has_child,
)
from wallet.store.schema import addresses, utxos

FAMILY_MAX = 25
"""Waiting transactions in a row, and behind one of them: what nodes take (Bitcoin Core)."""

FAMILY_VBYTES_MAX = 101_000
"""Their vbytes together."""

REQUESTER = "parents"
"""Who asks for a child, as intents name it: this part of the service."""


class TooManyAncestors(NotBuilt):
    """Nodes would refuse a child: it would build on too much that waits already."""

    code = "payment.too_many_ancestors"


class TooManyDescendants(NotBuilt):
    """Nodes would refuse a child: too much that waits builds on its parent already."""

    code = "payment.too_many_descendants"


class ParentPayer:
    """Builds children; the runner does the rest."""

    def __init__(self, context: PaymentContext) -> None:
        self._context = context

    def pay_for(self, payment_id: str) -> Payment:
        """Store a child of a stuck payment. Raises NotBuilt, or NodeError."""
        context = self._context
        with context.database.read() as tx:
            parent = journal.get(tx, payment_id)
        if parent.request.kind is not Kind.PSBT or context.is_offline(parent.request.source):
            raise NotReplaceable(f"got payment {payment_id}, expected one of a hot vault's coins")
        chain = context.chains[parent.network]
        rate = context.prices.feerate_units(chain)
        family: Sequence[Relative] = ()
        if isinstance(chain, PoolFamilies) and parent.txid is not None:
            family = chain.relatives(parent.txid)
        with context.write(parent.network) as tx:
            parent = journal.get(tx, payment_id)
            check_stuck(tx, parent)
            if has_child(tx, parent):
                raise NotStuck(f"got payment {payment_id}, which has a child already")
            child = self._store(tx, parent, rate, family)
        context.milestone("payment.built")
        return child

    def _store(
        self, tx: Connection, parent: Payment, rate: int, family: Sequence[Relative]
    ) -> Payment:
        context, now_s = self._context, self._context.clock.now_s()
        source, network = parent.request.source, parent.network
        vault = context.vault(source)
        if not isinstance(vault, DescriptorVault):
            raise NotReplaceable(f"got source {source}, expected a descriptor vault")
        coin, address_id = self._change(tx, parent)
        home = issue_own(
            tx,
            context.deriver,
            network=network,
            source=source,
            purpose=AddressPurpose.HOT,
            now_s=now_s,
        )
        vsize = transaction_vsize([vault], [home.target])
        check_family(family, vsize)
        fee_units = self._fee(parent, vault, vsize, rate)
        units = coin.sats - fee_units
        if units < context.params[network].dust_sats:
            raise NotReplaceable(f"got {coin.sats} of change, expected more than {fee_units}")
        order = self._order(parent, home, units, now_s)
        fee = Fee(units=fee_units, rate_units=fee_units * 1000 // vsize, basis_units=units)
        check_caps(context.networks[network], order, fee)
        judge(tx, context.policy, context.chains[network], order, fee, now_s)
        place = OwnPlace(source=source, branch=home.branch, index=home.position)
        payload = build_psbt(
            coins=[coin],
            outputs=[Payout(script=home.target, sats=units, place=place)],
            vaults={vault.name: vault},
        )
        sealed = seal_request(
            tx, context, order, source=source, kind=Kind.PSBT, payload=payload, now_s=now_s
        )
        new = NewPayment(
            id=context.new_id(),
            purpose=Purpose.RESHAPE,
            asset=order.asset,
            sealed=sealed.sealed,
            request=sealed.request,
            payload_digest=sealed.payload_digest,
            units=units,
            fee_units_max=fee_units,
            fee_units=fee_units,
        )
        child = journal.create(tx, new, now_s)
        tx.execute(
            insert(utxos).values(
                network=network,
                txid=coin.outpoint.txid,
                vout=coin.outpoint.vout,
                address_id=address_id,
                units=coin.sats,
                raw_tx=coin.raw_tx,
                payment_id=child.id,
            )
        )
        return child

    def _fee(self, parent: Payment, vault: DescriptorVault, vsize: int, rate: int) -> int:
        """What lifts parent and child together to the rate now. Raises FeeAtCap."""
        psbt, settings = Psbt.parse(parent.request.payload), self._context.networks[parent.network]
        parent_vsize = transaction_vsize(
            [vault] * len(psbt.inputs), [output.script for output in psbt.tx.outputs]
        )
        together = fee_sats(parent_vsize + vsize, rate) - psbt.fee_sats()
        wanted = max(together, fee_sats(vsize, max(rate, settings.feerate_relay)))
        caps = [settings.fee_units_max or wanted]
        if settings.feerate_max:
            caps.append(settings.feerate_max * vsize // 1000)
        if wanted > min(caps):
            raise FeeAtCap(f"got {wanted} sats for a child, expected at most {min(caps)}")
        return wanted

    def _change(self, tx: Connection, parent: Payment) -> tuple[Coin, str]:
        """The parent's largest output back to its own vault, and its address's id."""
        psbt = Psbt.parse(parent.request.payload)
        known = find_by_targets(tx, parent.network, [one.script for one in psbt.tx.outputs])
        own = [
            (vout, one, known[one.script])
            for vout, one in enumerate(psbt.tx.outputs)
            if one.script in known and known[one.script].branch == CHANGE_BRANCH
        ]
        if not own or parent.txid is None or parent.raw is None:
            raise NotReplaceable(f"got payment {parent.id} without change, expected some")
        vout, output, address = max(own, key=lambda one: one[1].sats)
        coin = Coin(
            outpoint=OutPoint(parent.txid, vout),
            sats=output.sats,
            place=OwnPlace(source=address.source, branch=address.branch, index=address.position),
            raw_tx=parent.raw,
        )
        row = tx.execute(
            select(addresses.c.id).where(
                addresses.c.network == parent.network, addresses.c.target == output.script
            )
        ).one()
        return coin, row.id

    def _order(self, parent: Payment, home: Address, units: int, now_s: int) -> SpendOrder:
        context = self._context
        intent = Intent(
            intent_id=context.new_id(),
            purpose=Purpose.RESHAPE,
            network=parent.network,
            asset=context.native_asset(parent.network),
            source=parent.request.source,
            payees=(Payee(address=home.address, units=units),),
            fee_units_max=context.networks[parent.network].fee_units_max,
            requester=REQUESTER,
            created_s=now_s,
            expires_s=now_s + REQUEST_LIFE_S,
        )
        own = OwnOutput(
            address=home.address, source=home.source, branch=home.branch, index=home.position
        )
        return SpendOrder(
            network=parent.network,
            asset=intent.asset,
            source=intent.source,
            purpose=intent.purpose,
            intents=(intent,),
            own=(own,),
        )


def check_family(family: Sequence[Relative], vsize: int) -> None:
    """Raise unless nodes take one more of `vsize` vbytes behind these: a parent, and all its own.

    The rule by which Bitcoin Core lets one small transaction more pass is not counted on.
    """
    together = sum(one.vsize for one in family) + vsize
    if len(family) + 1 > FAMILY_MAX or together > FAMILY_VBYTES_MAX:
        raise TooManyAncestors(f"got {len(family)} waiting ancestors, {together} vbytes with it")
    for one in family:
        behind = one.descendant_vsize + vsize
        if one.descendants + 1 > FAMILY_MAX or behind > FAMILY_VBYTES_MAX:
            raise TooManyDescendants(
                f"got {one.descendants} waiting from {one.txid} on, {behind} vbytes with one more"
            )
