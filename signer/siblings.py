"""Noticing a signer, or the service's ledger, that was put back or written anew.

A signer is noticed by what its answers said of its log before, a ledger by the heads that requests
carried: the signers keep them where nobody at the service can reach.

A coordinator relays the last answer's counter and log head of every signer. It can lie: a number
too high, or another head, makes a signer refuse, which whoever holds the coordinator's key can do
anyway by asking nothing. It can stay silent: then only the signer's own high-water mark protects.
"""

from collections.abc import Sequence

from signer.errors import Refused
from signer.log import Log
from signer.protocol import LedgerHead, SignerState
from signer.state import State


def check_prev_state(relayed: Sequence[SignerState], state: State, log: Log) -> None:
    """Raise Refused if this signer, or another one, contradicts what it answered before."""
    for said in relayed:
        if said.signer_id == state.signer_id:
            _check_own(said, log)
            continue
        known = state.siblings.get(said.signer_id)
        if known is not None and known.counter == said.counter and known != said:
            raise Refused(
                "state.sibling_cloned",
                f"got two log heads of {said.signer_id} at {said.counter}: it exists twice",
            )


def _check_own(said: SignerState, log: Log) -> None:
    if said.counter > log.counter:
        raise Refused(
            "state.rolled_back_elsewhere",
            f"got my own answer {said.counter}, but my log ends at {log.counter}: it was put back",
        )
    if log.head_before(said.counter) != said.log_head:
        raise Refused(
            "state.cloned", f"got another log head of mine at {said.counter}: I exist twice"
        )


def check_ledger_head(said: LedgerHead | None, state: State) -> None:
    """Raise Refused for a ledger that is not what it was, by the newest head that was signed with.

    Requests are made side by side and may come late: an older head is no contradiction.
    """
    known = state.ledger_head
    if said is None or known is None:
        return
    if said.height == known.height and said.state_hash != known.state_hash:
        raise Refused(
            "ledger.rewritten", f"got another hash of the ledger's height {said.height} than before"
        )
    if said.height < known.height and said.time_s > known.time_s:
        raise Refused(
            "ledger.went_back", f"got a ledger at {said.height}, it was at {known.height} before"
        )
