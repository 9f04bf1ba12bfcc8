"""Checks a publication of reserves with Python's standard library alone.

It knows nothing of the service that made the publication: no database, no configuration, no other
module. It is written into every package too, so that `python PACKAGE.zip` runs it; whoever does not
trust the copy inside runs this one: `python -m wallet.reserves.verifier`.
"""
