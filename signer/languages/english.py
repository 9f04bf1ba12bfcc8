"""English."""

from collections.abc import Mapping

from signer.languages.messages import Message

MESSAGES: Mapping[Message, str] = {
    Message.TITLE: "{purpose} of {asset} on {network} from {source}",
    Message.WITHDRAWAL: "WITHDRAWAL",
    Message.GATHER: "GATHER",
    Message.TOP_UP: "TOP UP",
    Message.SWEEP: "SWEEP",
    Message.REFILL: "REFILL",
    Message.GOVERNANCE: "GOVERNANCE",
    Message.PAYS: "pays {amount}",
    Message.TO: "to {address} [{owner}]",
    Message.OUTSIDE: "OUTSIDE",
    Message.HOT: "our hot wallet",
    Message.COLD: "our cold vault",
    Message.DEPOSIT: "our deposit address",
    Message.CHANGE: "change {amount}",
    Message.IN_ALL: "in all {amount}",
    Message.FEE: "fee at most {amount}",
    Message.NONCE: "nonce {nonce} of {address}",
    Message.INTENT: "intent {intent}: asked by {requester}, approved by {approvers}",
    Message.NOBODY: "nobody",
    Message.CHECK_WORDS: "check words: {words}",
    Message.POLICY: "policy {code}: {text}",
    Message.CAPS: "within its caps",
    Message.DESTINATIONS: "every payee is allowed",
    Message.APPROVALS: "every payment has the approvals it needs",
    Message.FEES: "the fee is within its caps",
    Message.LOOK_ALIKE: "!!! LOOK-ALIKE: {address}",
    Message.LOOK_ALIKE_KNOWN: "!!! is NOT the known address {address}: compare every character",
    Message.SAFE: "Safe {address} version {version}, nonce {nonce}",
    Message.EXECUTES: "executes Safe {name}, {address}",
    Message.CONTRACT: "token {symbol}, {decimals} decimals, contract {address}",
    Message.REPLACES: "REPLACES what this signer signed before with nonce {nonce}",
    Message.REPLACES_PAYMENTS: "REPLACES a transaction of the same payments, whose fee was {fee}",
    Message.SIGN: "Sign exactly this?",
    Message.SIGN_LOOK_ALIKE: "A payee looks like a known address and is another. Sign it still?",
    Message.YES: "yes",
    Message.ANSWERS: "[y/N]",
}
