"""What every table shares: the naming of constraints, and the widths of ids, codes and names."""

from sqlalchemy import UUID, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(36)
CODE = String(64)
NAME = String(128)

UUID_TEXT = String(36).with_variant(UUID(as_uuid=False), "postgresql")
"""A UUID in its canonical text; 16 bytes where the engine has a type for it."""
