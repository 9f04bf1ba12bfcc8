"""Movements between our own vaults, from the treasury's intents to payments."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from chains.evm.accounts import FixedAddress
from signer.protocol import Approval, Intent, OwnOutput
from wallet.addresses.issuing import find_by_targets
from wallet.payments.building.orders import SpendOrder
from wallet.payments.desk import PaymentDesk
from wallet.payments.errors import BadOrder
from wallet.payments.journal import Payment


class Moves:
    """Builds sweeps (hot to cold) and refills (cold to hot).

    A sweep is signed by the hot signers at once. A refill waits for its keyholders' files; where
    the cold vault is a Safe, the hot account executes it once enough of them signed.
    """

    def __init__(self, desk: PaymentDesk) -> None:
        self._desk = desk

    def build_move(
        self,
        intent: Intent,
        approvals: Sequence[Approval],
        attach: Callable[[Connection, str], None],
    ) -> None:
        """Store the payment of an intent; `attach` is told its id in the same transaction.

        Raises NotBuilt with the reason's code, or NodeError; then nothing was stored.
        """
        is_account = isinstance(self._desk.context.vault(intent.source), FixedAddress)
        order = SpendOrder(
            network=intent.network,
            asset=intent.asset,
            source=intent.source,
            purpose=intent.purpose,
            intents=(intent,),
            approvals=tuple(approvals),
            own=self._origins(intent),
            sender=self._desk.fixed_sender(intent.network, intent.source) if is_account else None,
        )

        def also(tx: Connection, payment: Payment) -> None:
            attach(tx, payment.id)

        self._desk.start(order, also)

    def _origins(self, intent: Intent) -> tuple[OwnOutput, ...]:
        """Where the payees derive from; a movement may pay nobody else. Raises BadOrder."""
        context = self._desk.context
        chain = context.chains[intent.network]
        targets = [chain.destination(payee.address).target for payee in intent.payees]
        with context.database.read() as tx:
            known = find_by_targets(tx, intent.network, targets)
        origins = []
        for payee, target in zip(intent.payees, targets, strict=True):
            address = known.get(target)
            if address is None:
                raise BadOrder(f"got payee {payee.address}, expected an address of ours")
            origins.append(
                OwnOutput(
                    address=payee.address,
                    source=address.source,
                    branch=address.branch,
                    index=address.position,
                )
            )
        return tuple(origins)
