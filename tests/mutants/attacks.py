"""The 25 ways signers have failed, what this one does about each, and where that is proven.

Where an attack is a request, mutants in this folder carry its number and every one is refused.
Where it is not (how a key was made, where the program came from), `tests` names what proves it.
"""

from dataclasses import dataclass

_UNIT = "tests/unit/signer"
_KEYS, _HOME, _KEYSTORE = (
    f"{_UNIT}/test_keys.py",
    f"{_UNIT}/test_home.py",
    f"{_UNIT}/test_keystore.py",
)
_ENGINE, _RELEASE, _CLI = (
    f"{_UNIT}/test_engine.py",
    f"{_UNIT}/test_release.py",
    f"{_UNIT}/test_cli.py",
)
_DISPLAY, _BUNDLE = f"{_UNIT}/test_display.py", "tests/integration/test_airgap_bundle.py"
_DESCRIPTORS, _SAFE = (
    "tests/unit/chains/test_utxo_descriptors.py",
    f"{_UNIT}/test_guard_evm_safe.py",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A way that signers have failed: what happened, and the check that meets it."""

    number: int
    title: str
    check: str
    tests: tuple[str, ...] = ()


ATTACKS = (
    Attack(
        number=1,
        title="fee attack by two sessions with swapped amounts (CVE-2020-14199)",
        check="the whole previous transaction of every input; the amount of a coin is remembered",
        tests=(f"{_ENGINE}::test_outpoint_amounts_are_remembered",),
    ),
    Attack(
        number=2,
        title="amount taken from a claim beside the proof",
        check="an amount counts only when the previous transaction says it; both must agree",
    ),
    Attack(
        number=3,
        title="change swapped for a wallet with a foreign key",
        check="change is derived from the registered vault; anything else is a payment",
    ),
    Attack(
        number=4,
        title="key substituted while the vault was set up",
        check="our key by exact match, never by fingerprint; every key and the first address shown",
        tests=(
            f"{_HOME}::test_our_fingerprint_over_a_foreign_key_is_refused",
            f"{_HOME}::test_our_key_under_another_origin_is_refused",
            f"{_CLI}::test_registration_shows_every_key",
            f"{_HOME}::test_registration_survives_only_with_its_proof",
        ),
    ),
    Attack(
        number=5,
        title="one key twice, or one signer in two places",
        check="keys of a vault are distinct, and one of them at most is ours",
        tests=(
            f"{_HOME}::test_a_vault_with_two_keys_of_ours_is_refused",
            f"{_DESCRIPTORS}::test_same_key_twice_is_refused",
            f"{_DESCRIPTORS}::test_same_key_under_another_origin_is_refused",
            f"{_HOME}::test_our_key_in_a_second_vault_is_refused",
            f"{_HOME}::test_two_quorums_without_a_common_member_are_refused",
        ),
    ),
    Attack(
        number=6,
        title="ransom: money sent where nobody will look for it",
        check="branch 0 or 1, nothing hardened, indexes at most 200 past the highest used",
    ),
    Attack(
        number=7,
        title="signature types that leave outputs open",
        check="SIGHASH_ALL only, without any override",
    ),
    Attack(
        number=8,
        title="a library that signs what was refused",
        check="one foreign input refuses the whole; each signature is for one listed input",
        tests=(f"{_ENGINE}::test_a_good_request_is_signed_and_verifies",),
    ),
    Attack(
        number=9,
        title="bytes rewritten between review and signature",
        check="the hash of what was reviewed is compared before signing",
    ),
    Attack(
        number=10,
        title="a bare hash or message that is a transaction in disguise",
        check="only whole transactions of known kinds; no signing of hashes or messages",
    ),
    Attack(
        number=11,
        title="outputs that the screen hides",
        check="payees equal the approved ones as a set; every output is shown or refused",
        tests=(
            f"{_DISPLAY}::test_a_review_says_everything",
            f"{_DISPLAY}::test_nothing_a_terminal_obeys_gets_through",
        ),
    ),
    Attack(
        number=12,
        title="weak seeds: a generator that is not the one meant",
        check="the system generator mixed with a second source; both are proven to reach the seed",
        tests=(
            f"{_KEYS}::test_new_secrets_come_from_the_generator_that_is_given",
            f"{_KEYS}::test_both_sources_reach_the_secret",
            f"{_KEYS}::test_a_stuck_generator_is_refused",
            f"{_UNIT}/test_provenance.py::test_a_change_of_either_source_changes_every_key",
            f"{_UNIT}/test_screening.py::test_published_bip39_vectors_are_refused",
        ),
    ),
    Attack(
        number=13,
        title="nonces reused or guessed",
        check="RFC 6979 in libsecp256k1; every R value is remembered",
        tests=(
            f"{_KEYS}::test_signatures_are_byte_for_byte_those_of_another_implementation",
            f"{_ENGINE}::test_a_nonce_used_again_is_never_released",
        ),
    ),
    Attack(
        number=14,
        title="Dark Skippy: a seed smuggled out in nonces",
        check="nonces are deterministic, so another implementation gives the same signature",
        tests=(
            f"{_KEYS}::test_signatures_are_byte_for_byte_those_of_another_implementation",
            f"{_KEYS}::test_recoverable_signatures_are_those_of_ethereum",
            f"{_RELEASE}::test_selfcheck_names_the_changed_file",
        ),
    ),
    Attack(
        number=15,
        title="Bybit: a delegatecall behind a screen that showed a payment",
        check="the Safe's call is decoded here; no delegatecall; version and singleton pinned",
        tests=(f"{_SAFE}::test_what_is_not_registered_is_refused",),
    ),
    Attack(
        number=16,
        title="WazirX, Radiant, DMM: what people saw was not what they signed",
        check="approvals cover the intent itself, and this signer compares the bytes with it",
        tests=(
            f"{_UNIT}/test_total_compromise.py::test_an_attacker_with_every_online_key_gets_nothing",
        ),
    ),
    Attack(
        number=17,
        title="Bitfinex: a second signer that signs whatever the first one did",
        check="every signer enforces its own policy over its own memory; nothing turns it off",
        tests=(
            f"{_ENGINE}::test_a_window_is_spent_and_opens_again_with_time",
            f"{_ENGINE}::test_setting_the_clock_back_opens_no_window",
        ),
    ),
    Attack(
        number=18,
        title="Parity: control of a contract taken over",
        check="registered contracts only; a Safe changes itself only under its own, higher quorum",
    ),
    Attack(
        number=19,
        title="typed data without chain or contract",
        check="chain id and Safe are part of what is checked and signed",
        tests=(f"{_SAFE}::test_what_is_not_registered_is_refused",),
    ),
    Attack(
        number=20,
        title="a coin of one chain signed as one of another",
        check="a key is bound to one network for ever, and its path to the coin",
        tests=(
            f"{_HOME}::test_an_account_is_bound_to_its_network_for_ever",
            f"{_HOME}::test_our_key_in_a_vault_of_another_network_is_refused",
            f"{_HOME}::test_paths_that_leak_or_are_of_another_coin_are_refused",
        ),
    ),
    Attack(
        number=21,
        title="Paxos: a fee of 19.89 BTC",
        check="caps on the fee itself, its share and its rate hold together, and the approved one",
    ),
    Attack(
        number=22,
        title="address poisoning: first and last characters agree",
        check="the payee's script is compared whole, and its address is shown whole",
        tests=(
            f"{_DISPLAY}::test_an_address_is_shown_whole",
            f"{_UNIT}/test_lookalike.py::test_a_payee_like_one_paid_before_is_shouted_about",
            f"{_UNIT}/test_lookalike.py::test_where_nobody_reads_a_warning_it_is_a_refusal",
        ),
    ),
    Attack(
        number=23,
        title="supply chain: a package that steals keys",
        check="locked hashes, a signed release, every installed file compared, nothing that talks",
        tests=(
            f"{_BUNDLE}::test_the_instructions_lead_to_a_working_signer",
            f"{_BUNDLE}::test_everything_fetched_is_what_the_lock_file_names",
            f"{_RELEASE}::test_every_change_of_a_file_is_named",
            "tests/test_docs.py::test_every_locked_package_has_hashes",
            "tests/test_boundaries.py::test_signer_loads_no_network_or_database",
        ),
    ),
    Attack(
        number=24,
        title="Prime Trust, QuadrigaCX: keys that nobody can reach",
        check="one key more than needed; the signer derives any receive address to prove it",
        tests=(
            f"{_ENGINE}::test_two_signers_of_three_finish_a_transaction",
            f"{_CLI}::test_an_address_is_derived_here",
            f"{_UNIT}/test_backup_cli.py::test_a_seed_is_split_drilled_lost_and_recovered",
        ),
    ),
    Attack(
        number=25,
        title="decoders and backups that are made to burst or lie",
        check="limits before parsing; bounded key derivation; secrets derived again after opening",
        tests=(
            f"{_KEYSTORE}::test_a_file_that_asks_for_excessive_work_is_refused_before_it",
            f"{_KEYSTORE}::test_a_file_whose_secret_is_not_the_named_one_is_refused",
            f"{_HOME}::test_paths_that_leak_or_are_of_another_coin_are_refused",
            f"{_UNIT}/test_fuzz_targets.py::test_no_bytes_end_a_decoder_otherwise_than_refused",
        ),
    ),
)
