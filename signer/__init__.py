"""The only place where private keys exist. No sockets, no database."""
