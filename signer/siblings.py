"""Noticing a signer that was put back or exists twice, by what its answers said of its log before.

A coordinator relays the last answer's counter and log head of every signer. It can lie: a number
too high, or another head, makes a signer refuse, which whoever holds the coordinator's key can do
anyway by asking nothing. It can stay silent: then only the signer's own high-water mark protects.
"""

from collections.abc import Sequence

from signer.errors import Refused
from signer.log import Log
from signer.protocol import SignerState
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
