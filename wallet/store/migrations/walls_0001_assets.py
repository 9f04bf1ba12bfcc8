"""The walls around registered assets, on both engines: a quota is a lock that nobody can open.

The white paper locks a physical asset by an operation threshold above all key weight that remains.
Here the row of a registered asset can't be changed, deleted or replaced, and no issue is let in
that takes the sum of all issues above its quota, whoever asks and by whatever client. What is
redeemed is not issued again.
"""

FROZEN = ("gateways", "registered_assets", "asset_issues", "account_terms")

KEYS = {
    "gateways": "id = NEW.id",
    "registered_assets": "code = NEW.code OR id = NEW.id "
    "OR (gateway = NEW.gateway AND (symbol = NEW.symbol OR mirrors = NEW.mirrors))",
    "asset_issues": "id = NEW.id OR (asset = NEW.asset AND external_id = NEW.external_id)",
    "account_terms": "id = NEW.id",
}
"""As walls_0001_sqlite.KEYS; that numbers are new is guarded by their order."""

_ZERO = "p" + "0" * 78
_MAX = 10**60
_MAX_TEXT = "p" + str(_MAX).rjust(78, "0")


def _is_no_amount(column: str) -> str:
    """SQL for SQLite: the text is none that wallet.store.types writes for 0 to _MAX."""
    return (
        f"(typeof({column}) <> 'text' OR length({column}) <> 79 OR {column} NOT GLOB 'p*' "
        f"OR substr({column}, 2) GLOB '*[^0-9]*' OR {column} > '{_MAX_TEXT}')"
    )


def _before(column: str, zero: str) -> str:
    """SQL: a running total as the issue before this one left it."""
    return (
        f"COALESCE((SELECT {column} FROM asset_issues "
        f"WHERE asset = NEW.asset AND number = NEW.number - 1), {zero})"
    )


def _added(column: str, kind: str) -> str:
    """SQL for SQLite: a running total as this issue or redemption has to leave it."""
    before = _before(column, f"'{_ZERO}'")
    return f"CASE NEW.kind WHEN '{kind}' THEN units_add({before}, NEW.units) ELSE {before} END"


def _plus(column: str, kind: str) -> str:
    """SQL for PostgreSQL: the same."""
    return f"{_before(column, '0')} + CASE NEW.kind WHEN '{kind}' THEN NEW.units ELSE 0 END"


_CODE = "NEW.code <> NEW.symbol || '.' || NEW.gateway OR NEW.symbol = '' OR NEW.gateway = ''"
_UNKNOWN = "NOT EXISTS (SELECT 1 FROM registered_assets WHERE code = NEW.asset)"
_QUOTA = "(SELECT quota_units FROM registered_assets WHERE code = NEW.asset)"
_NEXT_ISSUE = "(SELECT COALESCE(MAX(number), 0) + 1 FROM asset_issues WHERE asset = NEW.asset)"
_NEXT_TERMS = (
    "(SELECT COALESCE(MAX(number), 0) + 1 FROM account_terms "
    "WHERE owner = NEW.owner AND asset = NEW.asset)"
)
_BOUNDS = {
    "assets.quota_exceeded": f"NEW.issued_units > {_QUOTA}",
    "assets.redeemed_unissued": "NEW.redeemed_units > NEW.issued_units",
}

_SQLITE = {
    "registered_assets": {
        "assets.code": _CODE,
        "assets.lock": (
            "CASE NEW.type WHEN 'currency' THEN NEW.locked IS NOT 0 OR NEW.mirrors IS NULL "
            "OR NEW.quota_units IS NOT NULL WHEN 'physical' THEN NEW.locked IS NOT 1 "
            f"OR NEW.mirrors IS NOT NULL OR {_is_no_amount('NEW.quota_units')} "
            f"OR NEW.quota_units = '{_ZERO}' ELSE 1 END"
        ),
    },
    "asset_issues": {
        "assets.not_registered": _UNKNOWN,
        "assets.issue_out_of_order": f"NEW.number IS NOT {_NEXT_ISSUE}",
        "assets.amount": f"{_is_no_amount('NEW.units')} OR NEW.units = '{_ZERO}'",
        "assets.issue_total": (
            "NEW.kind NOT IN ('issue', 'redeem') "
            f"OR NEW.issued_units IS NOT {_added('issued_units', 'issue')} "
            f"OR NEW.redeemed_units IS NOT {_added('redeemed_units', 'redeem')}"
        ),
        **_BOUNDS,
    },
    "account_terms": {
        "assets.terms_out_of_order": f"NEW.number IS NOT {_NEXT_TERMS}",
        "assets.terms": (
            "NEW.frozen IS NULL OR NEW.frozen NOT IN (0, 1) "
            f"OR (NEW.limit_units IS NOT NULL AND {_is_no_amount('NEW.limit_units')})"
        ),
    },
}
"""Table -> code of the refusal -> when a new row is refused."""

# NaN counts as greater than every number, so the upper bounds refuse it.
_POSTGRESQL = {
    "registered_assets": {
        "assets.code": _CODE,
        "assets.lock": (
            "CASE NEW.type WHEN 'currency' THEN NEW.locked IS DISTINCT FROM 0 "
            "OR NEW.mirrors IS NULL OR NEW.quota_units IS NOT NULL "
            "WHEN 'physical' THEN NEW.locked IS DISTINCT FROM 1 OR NEW.mirrors IS NOT NULL "
            f"OR NEW.quota_units IS NULL OR NEW.quota_units <= 0 OR NEW.quota_units > {_MAX} "
            "ELSE true END"
        ),
    },
    "asset_issues": {
        "assets.not_registered": _UNKNOWN,
        "assets.issue_out_of_order": f"NEW.number IS DISTINCT FROM {_NEXT_ISSUE}",
        "assets.amount": f"NEW.units IS NULL OR NEW.units <= 0 OR NEW.units > {_MAX}",
        "assets.issue_total": (
            "NEW.kind NOT IN ('issue', 'redeem') "
            f"OR NEW.issued_units IS DISTINCT FROM {_plus('issued_units', 'issue')} "
            f"OR NEW.redeemed_units IS DISTINCT FROM {_plus('redeemed_units', 'redeem')}"
        ),
        **_BOUNDS,
    },
    "account_terms": {
        "assets.terms_out_of_order": f"NEW.number IS DISTINCT FROM {_NEXT_TERMS}",
        "assets.terms": (
            "NEW.frozen IS NULL OR NEW.frozen NOT IN (0, 1) "
            f"OR NEW.limit_units < 0 OR NEW.limit_units > {_MAX}"
        ),
    },
}


def _lite(table: str, refusals: dict[str, str]) -> str:
    body = "".join(
        f"  SELECT RAISE(ABORT, '{code}') WHERE {condition};\n"
        for code, condition in refusals.items()
    )
    return f"CREATE TRIGGER {table}_guard BEFORE INSERT ON {table} BEGIN\n{body}END"


def _function(table: str, refusals: dict[str, str]) -> str:
    body = "".join(
        f"  IF ({condition}) THEN\n"  # else PL/pgSQL takes the THEN of a CASE for its own
        f"    RAISE EXCEPTION '{code}' USING ERRCODE = 'integrity_constraint_violation';\n"
        f"  END IF;\n"
        for code, condition in refusals.items()
    )
    return (
        f"CREATE FUNCTION {table}_guard() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path FROM CURRENT AS $$\n"
        f"BEGIN\n{body}  RETURN NEW;\nEND\n$$"
    )


def _trigger(table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_guard BEFORE INSERT ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_guard()"
    )


SQLITE = tuple(_lite(table, refusals) for table, refusals in _SQLITE.items())
POSTGRESQL = (
    *(_function(table, refusals) for table, refusals in _POSTGRESQL.items()),
    *(_trigger(table) for table in _POSTGRESQL),
)
