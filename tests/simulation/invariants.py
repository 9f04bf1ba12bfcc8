"""What must hold after every step, and what must be true once all is quiet."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from sqlalchemy import select

from chains.evm.erc20 import decode_transfer_log
from chains.evm.transactions import SignedTx
from chains.utxo.transactions import Transaction
from tests.payments_world import BTC, ETH
from tests.reconciling import reporter
from tests.simulation.founding import CHAIN_OF, MINIMUM
from tests.simulation.life import Asked, Life
from wallet.ledger import chart
from wallet.ledger.balances import balances_of_accounts, off_balance
from wallet.ledger.posting import asset_totals, balance
from wallet.payments.replacing.proving import Prover
from wallet.reconciliation.books import compare, holdings_by_statements, items_under_way
from wallet.reconciliation.report import level_head
from wallet.store.schema import addresses, withdrawals
from wallet.withdrawals import records
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import FINAL, WithdrawalStatus


def check_step(life: Life) -> None:
    """Books balance, nobody is below zero, and no withdrawal can be paid by two transactions."""
    owned = [chart.account(chart.user(user), asset) for user in life.users for asset in CHAIN_OF]
    with life.database.read() as tx:
        assert off_balance(asset_totals(tx)) == [], "the ledger does not sum to zero"
        balances = balances_of_accounts(tx, owned)
    for account in owned:
        held = balances.get(account)
        below = held is not None and (held.available < 0 or held.net < 0)
        assert not below, f"{account.owner} is below zero in {account.asset}"
    if life.reconciles:
        _check_level_books(life)
    for txids in _payers(life).values():
        for first, second in combinations(sorted(txids), 2):
            assert _conflict(life, first, second), f"paid twice: {first} and {second}"


def check_quiet(life: Life) -> None:
    """Every order is final and paid as it says, every deposit credited once, books as chains."""
    done = [(asked, _read(life, asked.id)) for asked in life.asked]
    paid = _received(life)
    for asked, withdrawal in done:
        completed = withdrawal.status is WithdrawalStatus.COMPLETED
        units = paid[asked.target, asked.asset]
        expected = asked.units if completed else 0
        assert units == expected, f"{asked.external_id} is {withdrawal.status}, payee has {units}"
    _check_users(life, done)
    _check_books(life)
    if life.reconciles:
        _check_statements(life)
    with life.database.read() as tx:
        found = Prover(life.world.chains, life.world.assets, ask_chain=True).prove(tx).violations
    assert not found, f"prove-paid-once finds {found}"


def unfinished(life: Life) -> list[Withdrawal]:
    """Withdrawals that have not ended."""
    left = [str(status) for status in WithdrawalStatus if status not in FINAL]
    with life.database.read() as tx:
        rows = tx.execute(select(withdrawals.c.id).where(withdrawals.c.status.in_(left)))
        return [records.get(tx, withdrawal_id) for withdrawal_id in rows.scalars()]


def _read(life: Life, withdrawal_id: str) -> Withdrawal:
    with life.database.read() as tx:
        return records.get(tx, withdrawal_id)


def _check_users(
    life: Life,
    done: Sequence[tuple[Asked, Withdrawal]],
) -> None:
    """What a user has is what the chains brought less what withdrawals took."""
    expected: Counter[tuple[str, str]] = Counter()
    with life.database.read() as tx:
        rows = tx.execute(
            select(addresses.c.target, addresses.c.account_id, addresses.c.network).where(
                addresses.c.account_id.is_not(None)
            )
        ).all()
        owners = {bytes(row.target): row.account_id for row in rows}
    for target, asset, units in _deposits(life):
        if target in owners and units >= MINIMUM[asset]:
            expected[owners[target], asset] += units
    for _, withdrawal in done:
        if withdrawal.status is WithdrawalStatus.COMPLETED:
            expected[withdrawal.account_id, withdrawal.asset] -= withdrawal.total_units
    with life.database.read() as tx:
        for user in life.users:
            for asset in CHAIN_OF:
                net = balance(tx, chart.user(user), asset).net
                net -= balance(tx, chart.receivable(user), asset).net
                want = expected[user, asset]
                assert net == want, f"{user} has {net} {asset}, the chains say {want}"


def _check_books(life: Life) -> None:
    """The chain accounts of the ledger are what the chains hold for us."""
    with life.database.read() as tx:
        rows = tx.execute(select(addresses.c.target, addresses.c.network)).all()
        targets = defaultdict(list)
        for row in rows:
            targets[row.network].append(bytes(row.target))
        for asset, network in CHAIN_OF.items():
            ours = sum(
                balance(tx, owner, asset).net for owner in (chart.HOT, chart.DEPOSIT, chart.COLD)
            )
            if network == BTC:
                held = life.btc.history.unspent_units(targets[BTC])
            else:
                held = sum(life.eth.held(target, asset) for target in targets[ETH])
            assert ours == held, f"books say {ours} {asset}, the chain {held}"


def _check_level_books(life: Life) -> None:
    """Wherever statements have reached the scan, they and the ledger agree to the base unit."""
    with life.database.read() as tx:
        for network, chain in life.world.chains.items():
            if level_head(tx, network) is None:
                continue
            assets = [asset.code for asset in chain.assets]
            items = items_under_way(tx, network, assets[0])
            rows = compare(tx, holdings_by_statements(tx, network, assets), items)
            off = {row.asset: (row.difference, row.items) for row in rows if row.difference}
            assert not off, f"statements and books of {network} differ by {off}"


def _check_statements(life: Life) -> None:
    """Every block has its statements, they add up and explain all, and the books agree."""
    for network, chain in life.world.chains.items():
        report = reporter(chain, life.database, life.keep.clock).report(recount=True)
        found = [(str(one.code), one.asset, one.units, one.txid) for one in report.breaks]
        assert not found, f"breaks of {network}: {found}"
        assert not report.faults, f"statements of {network}: {report.faults}"
        off = {row.asset: row.difference for row in report.rows if row.difference}
        assert not off, f"statements and books of {network} differ by {off}"
        assert report.is_right, f"counted anew: {report.recounted}, {report.rows}"


def _deposits(life: Life) -> Iterator[tuple[bytes, str, int]]:
    """Every single payment to anybody that is not our own money moving between our addresses."""
    inside = {asked.target for asked in life.asked if asked.inside is not None}
    history = life.btc.history
    for block in life.btc.blocks:
        for tx in block.payments:
            outside = all(outpoint in history.outside for outpoint in tx.outpoints())
            for output in tx.outputs:
                if outside or output.script in inside:
                    yield output.script, "BTC", output.sats
    for target, asset, units, outside in _evm_moves(life):
        if outside or target in inside:
            yield target, asset, units


def _received(life: Life) -> Counter[tuple[bytes, str]]:
    """All that each target ever got on the best chains."""
    found: Counter[tuple[bytes, str]] = Counter()
    for block in life.btc.blocks:
        for tx in block.payments:
            for output in tx.outputs:
                found[output.script, "BTC"] += output.sats
    for target, asset, units, _ in _evm_moves(life):
        found[target, asset] += units
    return found


def _evm_moves(life: Life) -> Iterator[tuple[bytes, str, int, bool]]:
    """Payee, asset, units, and whether the sender is somebody else."""
    contracts = life.eth.history.contracts
    for block in life.eth.blocks:
        for one in block.done:
            if one.effects is None:
                continue
            outside = one.signed.sender in block.state.rich
            if one.signed.tx.value_wei:
                yield one.signed.tx.to, contracts.native, one.signed.tx.value_wei, outside
            for move in one.effects.moves:
                yield move.to, contracts.native, move.units, outside
            for log in one.effects.logs:
                told = decode_transfer_log(log.topics, log.data)
                if told is not None:
                    yield told.to, contracts.tokens[log.contract].code, told.units, outside


def _payers(life: Life) -> dict[bytes, set[str]]:
    """For every payee, all transactions that a node ever took and that pay it."""
    wanted = {asked.target for asked in life.asked}
    found: dict[bytes, set[str]] = defaultdict(set)
    for txid, tx in life.btc.history.ever.items():
        for output in tx.outputs:
            if output.script in wanted:
                found[output.script].add(txid)
    tokens = life.eth.history.contracts.tokens
    for txid, signed in life.eth.history.ever.items():
        payee = signed.tx.data[16:36] if signed.tx.to in tokens else signed.tx.to
        if payee in wanted:
            found[payee].add(txid)
    return found


def _conflict(life: Life, first: str, second: str) -> bool:
    """Whether at most one of two transactions can ever be mined."""
    one = life.btc.history.ever.get(first) or life.eth.history.ever[first]
    other = life.btc.history.ever.get(second) or life.eth.history.ever[second]
    if isinstance(one, Transaction) and isinstance(other, Transaction):
        return bool(set(one.outpoints()) & set(other.outpoints()))
    if isinstance(one, SignedTx) and isinstance(other, SignedTx):
        return (one.sender, one.tx.nonce) == (other.sender, other.tx.nonce)
    return False
