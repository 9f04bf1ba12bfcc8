"""The one database: its tables, its connections and its walls. Knows no business rule."""
