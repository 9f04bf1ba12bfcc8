"""Guard of PSBTs: amounts proven, scripts derived again, outputs change or approved payees."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import CodecError
from chains.utxo import addresses, taproot
from chains.utxo.descriptors import CHANGE, DescriptorVault, ScriptKey, VaultScript
from chains.utxo.params import UtxoParams
from chains.utxo.psbt import (
    SIGHASH_ALL,
    SIGHASH_DEFAULT,
    Psbt,
    PsbtInput,
    PsbtOutput,
    Sighasher,
)
from chains.utxo.transactions import compact_size
from signer.errors import Refused
from signer.guards.evm_payees import PAYING_ROLES
from signer.guards.facts import (
    ChangeFact,
    GuardContext,
    NetworkRules,
    OwnKey,
    PayeeFact,
    RegisteredVault,
    Role,
    SignatureForm,
    SigningJob,
    SpendFacts,
)
from signer.guards.owners import INDEX_MAX, count_payees, payee_facts
from signer.protocol import Purpose, SignRequest

PPM = 1_000_000
"""Shares are parts per million."""

SEQUENCE_MIN = 0xFFFFFFFD
"""Lower sequences lock an input in time (BIP-68), so that a signature could be kept for later."""

_PAYING_ROLES = {**PAYING_ROLES, Purpose.RESHAPE: frozenset({Role.HOT})}
"""Which vaults may pay for what; only coins have a shape, so an account may not reshape."""

_SIGHASH_TYPES = {False: (None, SIGHASH_ALL), True: (None, SIGHASH_ALL, SIGHASH_DEFAULT)}
"""Signature types that an input may ask for, by whether the vault is a taproot one."""

SIGNATURE_BYTES = 72
"""Length byte, low-R DER and sighash byte: the smallest, so that no fee rate is understated."""


@dataclass(frozen=True, slots=True)
class _Spend:
    """An input of our vault, proven."""

    psbt_input: PsbtInput
    script: VaultScript
    sats: int


def check_psbt(request: SignRequest, context: GuardContext) -> SpendFacts:
    """What a PSBT really does and the signatures it needs. Raises Refused."""
    entry = context.vaults[request.source]
    rules = context.networks[request.network]
    vault, params, own = _parts(entry, rules)
    purpose = request.intents[0].purpose
    if entry.role not in _PAYING_ROLES.get(purpose, frozenset()):
        raise Refused("purpose.wrong_source", f"a {entry.role} vault may not {purpose}")
    psbt = _decoded(request.payload)
    _check_shape(psbt, rules)
    spends = [_spend(psbt, at, vault, params, context) for at in range(len(psbt.inputs))]
    payees, change = _outputs(psbt, entry, params, rules, request, context)
    fee_sats = _fee(psbt, spends, params)
    vsize = _vsize(psbt, spends, vault)
    feerate = -(-fee_sats * 1000 // vsize)
    _check_fee(fee_sats, feerate, sum(payee.units for payee in payees), rules)
    return SpendFacts(
        purpose=purpose,
        network=request.network,
        asset=rules.asset,
        source=entry.name,
        payees=payees,
        change=change,
        fee_units=fee_sats,
        size=vsize,
        feerate=feerate,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=_jobs(psbt, spends, vault, own),
        outpoints={
            str(spend.psbt_input.outpoint): spend.sats
            for spend in spends
            if spend.psbt_input.previous_output is not None
        },
        inputs=frozenset(str(spend.psbt_input.outpoint) for spend in spends),
    )


def _parts(
    entry: RegisteredVault, rules: NetworkRules
) -> tuple[DescriptorVault, UtxoParams, OwnKey]:
    if not isinstance(entry.vault, DescriptorVault) or rules.utxo is None:
        raise Refused("request.kind", f"{entry.name} is not a vault that PSBTs spend")
    if entry.own is None:
        raise Refused("request.not_our_key", f"no key of ours is in {entry.name}")
    return entry.vault, rules.utxo, entry.own


def _decoded(payload: bytes) -> Psbt:
    try:
        return Psbt.parse(payload)
    except CodecError as error:
        code = error.code if error.code.startswith("psbt.") else "psbt.malformed"
        raise Refused(code, str(error)) from error


def _check_shape(psbt: Psbt, rules: NetworkRules) -> None:
    """Counts, versions, times: what concerns the transaction as a whole."""
    if not 1 <= len(psbt.inputs) <= rules.inputs_max:
        raise Refused("tx.inputs", f"got {len(psbt.inputs)} inputs, expected 1-{rules.inputs_max}")
    if not 1 <= len(psbt.outputs) <= rules.outputs_max:
        raise Refused("tx.outputs", f"got {len(psbt.outputs)} outputs, cap {rules.outputs_max}")
    if psbt.tx.version not in (1, 2):
        raise Refused("tx.version", f"got version {psbt.tx.version}, expected 1 or 2")
    if psbt.tx.locktime != 0:
        raise Refused("tx.locktime", f"got lock time {psbt.tx.locktime}, expected none")
    outpoints = {one.outpoint for one in psbt.inputs}
    if len(outpoints) != len(psbt.inputs):
        raise Refused("input.twice", "got an outpoint twice")


def _spend(
    psbt: Psbt, at: int, vault: DescriptorVault, params: UtxoParams, context: GuardContext
) -> _Spend:
    """Input `at`, if it is ours, proven and plain. Raises Refused."""
    one = psbt.inputs[at]
    if one.is_final:
        raise Refused("input.kind", f"input {at} is final")
    if one.has_leaves:
        raise Refused("input.leaves", f"input {at} names taproot scripts, expected the key alone")
    if one.sighash_type not in _SIGHASH_TYPES[vault.is_taproot]:
        raise Refused("input.sighash", f"input {at} asks for signature type {one.sighash_type}")
    if one.sequence < SEQUENCE_MIN:
        raise Refused("input.sequence", f"input {at} has sequence {one.sequence:#x}")
    try:
        spent = psbt.spent_output(at)
    except CodecError as error:
        raise Refused("input.unproven", f"input {at}: {error}") from error
    if not 0 < spent.sats <= params.money_sats_max:
        raise Refused("amount.range", f"input {at} has {spent.sats} sats")
    seen = context.memory.outpoint_units(vault.network, str(one.outpoint))
    if seen is not None and seen != spent.sats:
        raise Refused("input.amount_conflict", f"{one.outpoint}: got {spent.sats}, saw {seen}")
    claim = _claimed(one.derivations)
    if claim is None:
        raise Refused("input.foreign", f"input {at} has no single origin in our vault")
    script = vault.script_at(*claim)
    if spent.script != script.script_pubkey:
        raise Refused("input.foreign", f"input {at} is not of {vault.name} at {claim}")
    if (one.redeem_script, one.witness_script, one.internal_key) != _inner(script):
        raise Refused("input.script", f"input {at} carries other scripts than {vault.name} has")
    if not set(one.derivations) <= set(script.keys):
        raise Refused("input.origin", f"input {at} carries origins that {vault.name} has not")
    return _Spend(one, script, spent.sats)


def _claimed(derivations: Sequence[ScriptKey]) -> tuple[int, int] | None:
    """The one branch and index that all origins end in, or None."""
    ends = {key.path[-2:] for key in derivations}
    if len(ends) != 1:
        return None
    end = ends.pop()
    if len(end) != 2 or end[0] not in (0, 1) or end[1] > INDEX_MAX:
        return None
    return end[0], end[1]


def _outputs(
    psbt: Psbt,
    entry: RegisteredVault,
    params: UtxoParams,
    rules: NetworkRules,
    request: SignRequest,
    context: GuardContext,
) -> tuple[tuple[PayeeFact, ...], tuple[ChangeFact, ...]]:
    """Payees and change; together exactly the outputs, and payees exactly the intents'."""
    payees = payee_facts(request, context)
    wanted = count_payees(payees)
    change = []
    for at, output in enumerate(psbt.outputs):
        if not 0 < output.sats <= params.money_sats_max:
            raise Refused("amount.range", f"output {at} pays {output.sats} sats")
        address = _address(params, output, at)
        if wanted[(address, output.sats)] > 0:
            wanted[(address, output.sats)] -= 1
            continue
        change.append(_change(output, at, address, entry, rules, context))
    missing = +Counter(wanted)
    if missing:
        address, sats = next(iter(missing))
        raise Refused("payees.missing", f"{sats} to {address[:100]} is approved but not paid")
    return payees, tuple(change)


def _address(params: UtxoParams, output: PsbtOutput, at: int) -> str:
    try:
        return addresses.encode(params, output.script)
    except CodecError as error:
        raise Refused("output.script", f"output {at}: {error}") from error


def _change(
    output: PsbtOutput,
    at: int,
    address: str,
    entry: RegisteredVault,
    rules: NetworkRules,
    context: GuardContext,
) -> ChangeFact:
    """An output that is nobody's payment must be our own change, derived here. Raises Refused."""
    if not output.derivations:
        raise Refused("output.not_approved", f"output {at} pays {output.sats} to {address}")
    claim = _claimed(output.derivations)
    if claim is None or claim[0] != CHANGE:
        raise Refused("change.path", f"output {at} claims no single change index")
    script = entry.vault.script_at(*claim)
    if output.script != script.script_pubkey:
        raise Refused("change.foreign", f"output {at} to {address} is not ours at {claim}")
    if output.has_leaves:
        raise Refused("change.leaves", f"output {at} names taproot scripts, expected the key alone")
    carried = (output.redeem_script, output.witness_script, output.internal_key)
    if any(given not in (b"", real) for given, real in zip(carried, _inner(script), strict=True)):
        raise Refused("change.script", f"output {at} carries other scripts than its own")
    if not set(output.derivations) <= set(script.keys):
        raise Refused("change.origin", f"output {at} carries origins that {entry.name} has not")
    highest = context.memory.change_index_max(entry.name)
    limit = (highest if highest is not None else 0) + rules.change_gap_max
    if claim[1] > limit:
        raise Refused("change.index", f"output {at} is at index {claim[1]}, expected <= {limit}")
    return ChangeFact(address=address, units=output.sats, branch=claim[0], index=claim[1])


def _inner(script: VaultScript) -> tuple[bytes, bytes, bytes]:
    return script.redeem_script, script.witness_script, script.internal_key


def _fee(psbt: Psbt, spends: Sequence[_Spend], params: UtxoParams) -> int:
    total_in = sum(spend.sats for spend in spends)
    total_out = sum(output.sats for output in psbt.outputs)
    if total_in > params.money_sats_max:
        raise Refused("amount.range", f"got {total_in} sats of inputs")
    if total_out > total_in:
        raise Refused("amount.negative_fee", f"got {total_in} sats in and {total_out} out")
    return total_in - total_out


def _check_fee(fee_sats: int, feerate: int, paid_sats: int, rules: NetworkRules) -> None:
    """Every cap must hold at once. Raises Refused."""
    if fee_sats > rules.fee_units_max:
        raise Refused("fee.absolute", f"got {fee_sats} sats, cap {rules.fee_units_max}")
    if feerate > rules.feerate_max:
        raise Refused("fee.rate", f"got {feerate} sats per 1000 vbytes, cap {rules.feerate_max}")
    if fee_sats * PPM > rules.fee_ppm_max * paid_sats:
        raise Refused("fee.share", f"got {fee_sats} sats on {paid_sats}, cap {rules.fee_ppm_max}")


def _vsize(psbt: Psbt, spends: Sequence[_Spend], vault: DescriptorVault) -> int:
    """Vbytes once `threshold` signatures are in, never more than it will be."""
    weight = 4 * len(psbt.tx.serialize(witness=False))
    for spend in spends:
        weight += _input_weight(spend.script, vault)
    if vault.is_segwit:
        weight += 2
    return -(-weight // 4)


def _input_weight(script: VaultScript, vault: DescriptorVault) -> int:
    signatures = vault.threshold * SIGNATURE_BYTES
    inner = script.witness_script or script.redeem_script
    if not vault.is_segwit:
        bare = signatures + (1 + len(inner) + len(compact_size(len(inner))) if inner else 34)
        return 4 * bare
    if script.internal_key:
        return 2 + taproot.SIGNATURE_BYTES
    if script.witness_script:
        witness = 2 + signatures + len(inner) + len(compact_size(len(inner)))
    else:
        witness = 1 + signatures + 34
    nested = 4 * (1 + len(script.redeem_script)) if script.redeem_script else 0
    return witness + nested


def _jobs(
    psbt: Psbt, spends: Sequence[_Spend], vault: DescriptorVault, own: OwnKey
) -> tuple[SigningJob, ...]:
    """One signature for each input, by the one key that is ours."""
    place = [key.key.text for key in vault.keys].index(own.xpub)
    hasher = Sighasher(psbt)
    jobs = []
    for at, spend in enumerate(spends):
        key = spend.script.keys[place]
        script = spend.script.script_pubkey
        jobs.append(
            SigningJob(
                index=at,
                digest=hasher.digest(at),
                path=key.path,
                public_key=key.public_key,
                answer_key=script[2:] if vault.is_taproot else key.public_key,
                form=_form(spend.psbt_input, vault),
            )
        )
    return tuple(jobs)


def _form(one: PsbtInput, vault: DescriptorVault) -> SignatureForm:
    if not vault.is_taproot:
        return SignatureForm.DER_ALL
    asks_all = one.sighash_type == SIGHASH_ALL
    return SignatureForm.SCHNORR_ALL if asks_all else SignatureForm.SCHNORR
