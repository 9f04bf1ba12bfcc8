"""Aspects 1.04 to 2.04: how keys are used and lost, and how the whole is run."""

from signer.ccss.control import Control

_SIGNER = "tests/unit/signer/test_"
_ENGINE, _HOME, _KEYS = f"{_SIGNER}engine.py::", f"{_SIGNER}home.py::", f"{_SIGNER}keys.py::"
_FACTORS, _ACTIVATION = f"{_SIGNER}keystore_factors.py::", f"{_SIGNER}activation.py::"
_KEYSTORE, _CLI = f"{_SIGNER}keystore.py::", f"{_SIGNER}cli.py::"
_COMPROMISE, _MUTANTS = f"{_SIGNER}total_compromise.py::", f"{_SIGNER}mutants.py::"

USE_AND_OPERATION = (
    Control(
        id="1.04.1",
        title="identity and factors to reach a key",
        level=2,
        provided="the home and as many factors as its unlock file names: passphrase, key file, "
        "several people, shares, a PKCS#11 token",
        people="lock the machine away",
        tests=(
            f"{_FACTORS}test_one_missing_factor_opens_nothing",
            f"{_FACTORS}test_any_two_of_three_people_open",
            f"{_CLI}test_a_wrong_passphrase_signs_nothing",
        ),
    ),
    Control(
        id="1.04.2",
        title="keys are used in a trusted environment only",
        level=1,
        provided="no module that could talk is loaded; works without any interface; no core dump, "
        "no tracing; memory locked where swap is on",
        people="use a machine that has never been on a network",
        tests=(
            "tests/test_boundaries.py::test_signer_loads_no_network_or_database",
            "tests/test_boundaries.py::test_signer_works_without_any_interface",
            f"{_SIGNER}stdio.py::test_the_process_leaves_no_core_and_cannot_be_traced",
        ),
    ),
    Control(
        id="1.04.3",
        title="references of key holders",
        level=0,
        people="check them",
    ),
    Control(
        id="1.04.4",
        title="identity of key holders",
        level=0,
        people="check it, and again when it expires",
    ),
    Control(
        id="1.04.5",
        title="background of key holders",
        level=0,
        people="have it checked",
    ),
    Control(
        id="1.04.6",
        title="destination and amount are verified before a key is used",
        level=3,
        provided="approvals by named people over the intent, verified offline; every payee and "
        "change output derived or compared; policy and windows of the signer's own; all shown",
        tests=(
            f"{_COMPROMISE}test_an_attacker_with_every_online_key_gets_nothing",
            f"{_MUTANTS}test_every_mutant_is_refused",
            f"{_ENGINE}test_two_of_three_staff_are_enough",
            f"{_CLI}test_a_person_who_types_nothing_has_said_no",
        ),
    ),
    Control(
        id="1.04.7",
        title="no two keys of a wallet on one device",
        level=3,
        provided="a vault with a second key of ours is not registered",
        tests=(f"{_HOME}test_a_vault_with_two_keys_of_ours_is_refused",),
    ),
    Control(
        id="1.04.8",
        title="nonces of signatures",
        level=3,
        provided="RFC 6979 in libsecp256k1, low R and low S; an R value used before is refused",
        tests=(
            f"{_KEYS}test_signatures_are_byte_for_byte_those_of_another_implementation",
            f"{_KEYS}test_wycheproof_bitcoin_signatures",
            f"{_ENGINE}test_a_nonce_used_again_is_never_released",
        ),
    ),
    Control(
        id="1.05.1",
        title="a plan for the compromise of a key",
        level=0,
        people="write it for each kind of key",
    ),
    Control(
        id="1.05.2",
        title="the plan is rehearsed",
        level=0,
        people="rehearse it and keep the times",
    ),
    Control(
        id="1.06.1",
        title="granting and revoking access",
        level=2,
        provided="the roster is a file; a change of it takes signatures of governance, after the "
        "difference is shown in words",
        people="keep the checklist",
        tests=(
            f"{_ACTIVATION}test_too_few_of_the_right_people_activate_nothing",
            f"{_ACTIVATION}test_new_people_cannot_approve_their_own_arrival",
            f"{_HOME}test_changed_configuration_is_not_used_until_activated",
        ),
    ),
    Control(
        id="1.06.2",
        title="requests come over an authenticated channel",
        level=3,
        provided="requests sealed by the coordinator's key, approvals signed by each person's",
        tests=(
            f"{_ENGINE}test_another_coordinator_is_refused",
            f"{_ENGINE}test_another_persons_signature_does_not_count",
        ),
    ),
    Control(
        id="1.06.3",
        title="an audit trail of key use",
        level=3,
        provided="a hash-chained, authenticated log of every request, refusal and signature, with "
        "who approved; heads travel to the service and to sibling signers",
        people="keep copies elsewhere",
        tests=(
            f"{_HOME}test_any_flipped_bit_of_the_log_is_noticed",
            f"{_SIGNER}memory_faults.py::test_every_byte_of_log_and_mark_counts",
            f"{_SIGNER}siblings.py::test_a_signer_that_was_put_back_refuses",
        ),
    ),
    Control(
        id="2.01.1",
        title="security audit",
        level=0,
        provided="mutants, a played total compromise and fuzzed decoders, for the auditor",
        people="have it audited by somebody else, every year",
        tests=(
            f"{_MUTANTS}test_every_code_of_a_refusal_stands_in_a_test",
            f"{_SIGNER}fuzz_targets.py::test_no_bytes_end_a_decoder_otherwise_than_refused",
        ),
    ),
    Control(
        id="2.02.1",
        title="a policy for sanitising media",
        level=0,
        people="write it",
    ),
    Control(
        id="2.02.2",
        title="a record of sanitised media",
        level=0,
        people="keep it: who, which, how",
    ),
    Control(
        id="2.03.1",
        title="proof of reserve",
        level=1,
        provided="every vault's keys show what it holds at a named block; anybody checks it",
        people="publish it regularly, and have it audited",
        tests=(
            f"{_SIGNER}guard_reserves.py::test_a_vault_shows_its_coins",
            f"{_SIGNER}guard_reserves.py::test_an_owner_signs_a_message_of_the_safe",
        ),
    ),
    Control(
        id="2.04.1",
        title="logs of the application",
        level=2,
        provided="the signer's log here, events in order and hash-chained in the service",
        tests=(f"{_HOME}test_a_log_cut_short_is_noticed",),
    ),
    Control(
        id="2.04.2",
        title="logs are backed up elsewhere",
        level=1,
        provided="`log export` as JSON lines or CSV, beside a running signer",
        people="carry it to another machine regularly",
        tests=(
            f"{_SIGNER}log_commands.py::test_json_holds_everything_and_no_number_that_readers_round",
        ),
    ),
)
