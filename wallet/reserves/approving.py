"""Intents and their approvals as files: what people agreed to show, before any signer is asked."""

import hashlib
from pathlib import Path

from signer.protocol import Approval, Intent, dump, load
from wallet.reserves.asking import Ask
from wallet.reserves.publication import write_whole


class ApprovalFiles:
    """The intents of one publication, and the approvals of each."""

    def __init__(self, folder: Path) -> None:
        self._intents, self._approvals = folder.joinpath("intents"), folder.joinpath("approvals")
        for one in (self._intents, self._approvals):
            one.mkdir(mode=0o700, exist_ok=True)

    def intent(self, ask: Ask) -> Intent | None:
        """The intent of an ask, if there is one already."""
        path = self._intents.joinpath(str(ask.number))
        return Intent.decode(path.read_bytes()) if path.exists() else None

    def begin(self, ask: Ask, intent: Intent) -> None:
        """Keep a new intent."""
        write_whole(self._intents.joinpath(str(ask.number)), intent.encode())

    def of(self, ask: Ask) -> list[Approval]:
        """The approvals of exactly the intent that is kept; signers verify who gave them."""
        intent = self.intent(ask)
        found = []
        for path in sorted(self._approvals.glob(f"{ask.number}-*")):
            body, sig = load(path.read_bytes(), "approval")
            approval = Approval(body=body, sig=sig)
            if intent is not None and approval.intent_digest == intent.digest:
                found.append(approval)
        return found

    def keep(self, ask: Ask, approval: Approval) -> None:
        """One approval a person; the same person's later one takes its place."""
        name = hashlib.sha256(approval.approver.encode()).hexdigest()[:16]
        path = self._approvals.joinpath(f"{ask.number}-{name}")
        write_whole(path, dump([approval.body, approval.sig]))

    def drop(self, ask: Ask) -> None:
        """Forget an intent that was refused or is over, and what was approved of it."""
        self._intents.joinpath(str(ask.number)).unlink(missing_ok=True)
        for path in self._approvals.glob(f"{ask.number}-*"):
            path.unlink()
