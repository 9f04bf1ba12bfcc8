"""Orders of gathering: plain gathers, top-ups, authorisations and batches, each with its intent."""

from collections.abc import Sequence

from signer.protocol import Intent, OwnOutput, Payee, Purpose
from wallet.payments.building.orders import SpendOrder
from wallet.payments.context import PaymentContext
from wallet.settings import AssetSettings

INTENT_LIFE_S = 3600
"""A gather not signed within an hour is decided anew."""

REQUESTER = "wallet:gather"
"""Who asks for gathering: the service itself."""


class Orders:
    """Makes orders with fresh intents; `hot` is who gets everything."""

    def __init__(self, context: PaymentContext) -> None:
        self._context = context

    def hot(self, network: str) -> OwnOutput:
        """The hot account, and its origin."""
        source = self._context.networks[network].hot
        address = self._context.deriver.address_at(network, source, 0, 0).address
        return OwnOutput(address=address, source=source, branch=0, index=0)

    def payment(
        self,
        asset: AssetSettings,
        purpose: Purpose,
        sender: OwnOutput,
        receiver: OwnOutput,
        units: int,
    ) -> SpendOrder:
        """A transfer between addresses of ours."""
        payees = (Payee(address=receiver.address, units=units),)
        intent = self._intent(asset, purpose, sender.source, payees, b"")
        return self._order(asset, purpose, sender, intent, (receiver,))

    def act(
        self, asset: AssetSettings, sender: OwnOutput, call: bytes, own: Sequence[OwnOutput] = ()
    ) -> SpendOrder:
        """What pays nobody: an authorisation of a deposit address, or a batch by hot."""
        intent = self._intent(asset, Purpose.GATHER, sender.source, (), call)
        return self._order(asset, Purpose.GATHER, sender, intent, tuple(own))

    def _intent(
        self,
        asset: AssetSettings,
        purpose: Purpose,
        source: str,
        payees: tuple[Payee, ...],
        call: bytes,
    ) -> Intent:
        now_s = self._context.clock.now_s()
        return Intent(
            intent_id=self._context.new_id(),
            purpose=purpose,
            network=asset.network,
            asset=asset.code,
            source=source,
            payees=payees,
            fee_units_max=self._context.networks[asset.network].fee_units_max,
            requester=REQUESTER,
            created_s=now_s,
            expires_s=now_s + INTENT_LIFE_S,
            call=call,
        )

    @staticmethod
    def _order(
        asset: AssetSettings,
        purpose: Purpose,
        sender: OwnOutput,
        intent: Intent,
        own: tuple[OwnOutput, ...],
    ) -> SpendOrder:
        return SpendOrder(
            network=asset.network,
            asset=asset.code,
            source=sender.source,
            purpose=purpose,
            intents=(intent,),
            own=own,
            sender=sender,
        )
