"""The encoding of a height: each line written out, and the hash over them worked out by hand."""

import hashlib
from uuid import UUID

from wallet.ledger import chart
from wallet.ledger.books import Books
from wallet.ledger.encoding import GENESIS, TAG, TransferColumns, balance_lines
from wallet.ledger.judging import Judge
from wallet.ledger.sealing import seal, together
from wallet.ledger.transfers import UNITS_MAX, Transfer, content_digest

ALICE, BOB = chart.user("alice"), chart.user("bob")
PAID, HELD, MOVED, ENDED = (str(UUID(int=n)) for n in range(1, 5))
BATCH = [
    Transfer.single(id=PAID, debit=chart.HOUSE, credit=ALICE, asset="WEI", units=UNITS_MAX),
    Transfer.hold(id=HELD, debit=ALICE, credit=BOB, asset="WEI", units=2**64, expires_s=2_000),
    Transfer.single(id=MOVED, debit=ALICE, credit=BOB, asset="WEI", units=7),
    Transfer.post(id=ENDED, hold_id=HELD, units=5),
]
TRANSFERS = (
    f"1\t0\t{PAID}\tsingle\t\\N\t1\t2\t1{'0' * 60}\t0\n"
    f"1\t1\t{HELD}\thold\t\\N\t2\t3\t18446744073709551616\t2000\n"
    f"1\t2\t{MOVED}\tsingle\t\\N\t2\t3\t7\t0\n"
    f"1\t3\t{ENDED}\tpost\t{HELD}\t2\t3\t5\t0\n"
)
BALANCES = f"1\t1{'0' * 60}\t0\t0\t0\t1\n2\t12\t1{'0' * 60}\t0\t0\t1\n3\t0\t12\t0\t0\t1\n"
ACCOUNTS = "1\tequity:house\tWEI\tequity\t1\n2\tuser:alice\tWEI\tliability\t0\n"
ACCOUNTS += "3\tuser:bob\tWEI\tliability\t0\n"


def test_a_height_is_the_lines_that_the_encoding_says() -> None:
    books = Books()
    content = b"\x0c" * 32
    sealed = seal(books, Judge(books, now_s=1_000).whole(BATCH), "cause", content, 1_000)
    assert sealed.transfers == (4, TRANSFERS.encode())
    assert together([sealed]).balances == (3, BALANCES.encode())
    text = f"batch\t1\tcause\t{content.hex()}\t1000\naccounts\t3\n{ACCOUNTS}"
    text += f"transfers\t4\n{TRANSFERS}balances\t3\n{BALANCES}"
    digest = hashlib.sha256(text.encode()).digest()
    state = hashlib.sha256(TAG + GENESIS + digest + bytes(7) + b"\x01").digest()
    assert sealed.state_hash == books.state_hash == state


def test_nothing_is_no_line() -> None:
    assert TransferColumns().lines(1) == (0, b"")
    assert balance_lines([]) == (0, b"")


def test_balances_of_a_group_are_those_after_its_last_height_in_the_order_of_accounts() -> None:
    books = Books()
    heights = []
    for debit, credit in ((chart.HOUSE, BOB), (chart.HOUSE, ALICE), (BOB, ALICE)):
        paid = Transfer.single(id=PAID, debit=debit, credit=credit, asset="WEI", units=3)
        heights.append(seal(books, Judge(books, now_s=1).whole([paid]), "c", bytes(32), 1))
    assert together(heights).balances == (
        3,
        b"1\t6\t0\t0\t0\t2\n2\t3\t3\t0\t0\t3\n3\t0\t6\t0\t0\t3\n",
    )


def test_the_content_of_a_batch_is_each_field_of_its_transfers() -> None:
    text = (
        f'[["{PAID}","single","equity:house","user:alice","WEI",1{"0" * 60},null,0,false],'
        f'["{HELD}","hold","user:alice","user:bob","WEI",18446744073709551616,null,2000,false],'
        f'["{MOVED}","single","user:alice","user:bob","WEI",7,null,0,false],'
        f'["{ENDED}","post","","","",5,"{HELD}",0,false]]'
    )
    assert content_digest(BATCH) == hashlib.sha256(text.encode()).digest()
