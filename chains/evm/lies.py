"""What a node says of an EVM block that cannot be; each kind of lie has its own code."""

from chains.errors import UnexpectedAnswer


class WrongHeader(UnexpectedAnswer):
    """A header whose fields do not hash to the block's name."""

    code = "evm.wrong_header"


class WrongContents(UnexpectedAnswer):
    """Transactions or validators' withdrawals that are not those of the header."""

    code = "evm.wrong_contents"


class WrongReceipts(UnexpectedAnswer):
    """Receipts, or logs in them, that are not those of the header."""

    code = "evm.wrong_receipts"


class WrongCosts(UnexpectedAnswer):
    """Gas or a price that the transaction and the receipts do not allow."""

    code = "evm.wrong_costs"


class WrongProof(UnexpectedAnswer):
    """A proof of an account that does not lead to the header's state root."""

    code = "evm.wrong_proof"


class WrongBalance(UnexpectedAnswer):
    """Movements that do not add up to what the state itself shows."""

    code = "evm.wrong_balance"
