"""/v1/hosted-keys: users' own keys. Only ciphertext comes in, and leaves after a second factor."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection, select

from wallet.api.bodies import CODE, NewAuthenticator, NewBlob, NewHostedKey, SecondFactor
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.reads import one_account
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.api.views import HostedBlobView, HostedKeyView
from wallet.hosted_keys.authenticators import NewAuthenticator as NextAuthenticator
from wallet.hosted_keys.records import HostedKey, HostedKeyStatus, find_key, key_of
from wallet.hosted_keys.registry import NewHostedKey as NewKey
from wallet.store.schema import hosted_keys

router = APIRouter(prefix="/v1/hosted-keys", tags=["hosted keys"], route_class=SignedRoute)


@router.post("", status_code=201, response_model=HostedKeyView)
def create_hosted_key(body: NewHostedKey, once: OnceNow) -> Response:
    """Keep a key that a user's device made and encrypted; its second factor begins here."""
    services = once.call.services
    network = services.network(body.network)
    new = NewKey(
        id=body.id,
        account_id=body.account_id,
        network=network.id,
        public_key=bytes.fromhex(body.public_key),
        address=body.address,
        blob=bytes.fromhex(body.blob),
        proof=bytes.fromhex(body.proof),
        totp_secret=bytes.fromhex(body.totp_secret),
        totp_code=body.totp_code,
    )

    def effect(tx: Connection) -> tuple[int, HostedKeyView]:
        one_account(tx, body.account_id)
        services.hosted.keys.create(tx, new)
        return 201, _view(find_key(tx, body.id))

    return once.run(effect)


@router.get("")
def list_hosted_keys(
    call: CallNow,
    window: WindowNow,
    account_id: UUID | None = None,
    network: Annotated[str | None, Query(pattern=CODE)] = None,
) -> Page[HostedKeyView]:
    """Hosted keys that are not deleted, newest first, without their ciphertext."""
    query = select(hosted_keys).where(hosted_keys.c.status == HostedKeyStatus.ACTIVE)
    if account_id is not None:
        query = query.where(hosted_keys.c.account_id == str(account_id))
    if network is not None:
        query = query.where(hosted_keys.c.network == network)
    with call.services.db.read() as tx:
        order = (hosted_keys.c.created_s, hosted_keys.c.id)
        return read_page(tx, query, window, order, lambda row: _view(key_of(row)))


@router.get("/{key_id}")
def read_hosted_key(call: CallNow, key_id: UUID) -> HostedKeyView:
    """One hosted key, without its ciphertext."""
    with call.services.db.read() as tx:
        return _view(find_key(tx, str(key_id)))


@router.post("/{key_id}/fetch")
def fetch_hosted_key(body: SecondFactor, call: CallNow, key_id: UUID) -> HostedBlobView:
    """The ciphertext, for a good code. Never replayed: each fetch takes a code of its own."""
    services = call.services
    step = services.hosted.keys.check_code(str(key_id), body.totp_code)
    with services.db.write() as tx:
        key = services.hosted.keys.fetch(tx, str(key_id), step)
    return HostedBlobView(id=key.id, network=key.network, version=key.version, blob=key.blob.hex())


@router.post("/{key_id}/replace", response_model=HostedKeyView)
def replace_hosted_key(body: NewBlob, once: OnceNow, key_id: UUID) -> Response:
    """Put the same key under another password; needs a good code and the key's own signature."""
    answered = once.again()
    if answered is not None:
        return answered
    keys = once.call.services.hosted.keys
    step = keys.check_code(str(key_id), body.totp_code)

    def effect(tx: Connection) -> tuple[int, HostedKeyView]:
        keys.replace(
            tx,
            str(key_id),
            step,
            version=body.version,
            blob=bytes.fromhex(body.blob),
            proof=bytes.fromhex(body.proof),
        )
        return 200, _view(find_key(tx, str(key_id)))

    return once.run(effect)


@router.post("/{key_id}/authenticator", status_code=202, response_model=HostedKeyView)
def change_authenticator(body: NewAuthenticator, once: OnceNow, key_id: UUID) -> Response:
    """Ask for another authenticator, signed for by the key itself; it counts after a delay."""
    answered = once.again()
    if answered is not None:
        return answered
    authenticators = once.call.services.hosted.authenticators
    authenticators.charge(str(key_id))
    new = NextAuthenticator(
        number=body.number,
        totp_secret=bytes.fromhex(body.totp_secret),
        totp_code=body.totp_code,
        proof=bytes.fromhex(body.proof),
    )

    def effect(tx: Connection) -> tuple[int, HostedKeyView]:
        authenticators.ask(tx, str(key_id), new)
        return 202, _view(find_key(tx, str(key_id)))

    return once.run(effect)


@router.post("/{key_id}/authenticator/keep", response_model=HostedKeyView)
def keep_authenticator(body: SecondFactor, once: OnceNow, key_id: UUID) -> Response:
    """Forget the change that somebody asked for; needs a good code of the present authenticator."""
    answered = once.again()
    if answered is not None:
        return answered
    hosted = once.call.services.hosted
    step = hosted.keys.check_code(str(key_id), body.totp_code)

    def effect(tx: Connection) -> tuple[int, HostedKeyView]:
        hosted.authenticators.keep(tx, str(key_id), step)
        return 200, _view(find_key(tx, str(key_id)))

    return once.run(effect)


@router.post("/{key_id}/delete", response_model=HostedKeyView)
def delete_hosted_key(body: SecondFactor, once: OnceNow, key_id: UUID) -> Response:
    """Forget the ciphertext for ever; needs a good code. Export it first: money may be left."""
    answered = once.again()
    if answered is not None:
        return answered
    keys = once.call.services.hosted.keys
    step = keys.check_code(str(key_id), body.totp_code)

    def effect(tx: Connection) -> tuple[int, HostedKeyView]:
        return 200, _view(keys.delete(tx, str(key_id), step))

    return once.run(effect)


def _view(key: HostedKey) -> HostedKeyView:
    return HostedKeyView(
        id=key.id,
        account_id=key.account_id,
        network=key.network,
        address=key.address,
        public_key=key.public_key.hex(),
        version=key.version,
        authenticator=key.totp_number,
        next_authenticator_from_s=key.totp_next_from_s,
        locked_until_s=key.locked_until_s,
        created_s=key.created_s,
        updated_s=key.updated_s,
    )
