"""What can go wrong with the database itself."""

from wallet.errors import WalletError


class StoreError(WalletError):
    """Root of the store's errors."""

    code = "store.error"


class BadDatabaseUrl(StoreError):
    """A database URL that is neither SQLite nor PostgreSQL."""

    code = "store.bad_url"


class PasswordInUrl(BadDatabaseUrl):
    """A password where every user of the machine can read it."""

    code = "store.password_in_url"


class NotAllowed(StoreError):
    """The database's login has no right to this; nothing was changed."""

    code = "store.not_allowed"


class StoreBusy(StoreError):
    """Another writer held the database for too long; nothing was changed, try again."""

    code = "store.busy"


class SchemaMismatch(StoreError):
    """The database's tables or walls are not those this version expects."""

    code = "store.schema_mismatch"


class DatabaseMoved(StoreError):
    """The database has a new home, which the message names; nothing may be written here."""

    code = "store.moved"
