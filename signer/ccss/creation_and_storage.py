"""Aspects 1.01 to 1.03: how keys are made, what wallets are made of, how keys are kept."""

from signer.ccss.control import Control

_SIGNER = "tests/unit/signer/test_"
_ENGINE, _KEYS = f"{_SIGNER}engine.py::", f"{_SIGNER}keys.py::"
_KEYSTORE, _CLI = f"{_SIGNER}keystore.py::", f"{_SIGNER}cli.py::"
_BUNDLE = "tests/integration/test_airgap_bundle.py::"
_CEREMONY, _PROVENANCE = f"{_SIGNER}ceremony.py::", f"{_SIGNER}provenance.py::"
_BACKUP, _SHARES = f"{_SIGNER}backup_cli.py::", f"{_SIGNER}backup_shares.py::"
_DESCRIPTORS = "tests/unit/chains/test_utxo_descriptors.py::"

CREATION_AND_STORAGE = (
    Control(
        id="1.01.1",
        title="the key's user creates it",
        level=1,
        provided="`init` on the keyholder's own machine; `selfcheck --release-key` and the "
        "installer compare every file with the signed release",
        people="run the check before each use",
        tests=(f"{_BUNDLE}test_the_instructions_lead_to_a_working_signer",),
    ),
    Control(
        id="1.01.2",
        title="the method of creation is validated",
        level=2,
        provided="`ceremony`: scripted steps in a fixed order, each signed by those it names and a "
        "witness; the plan comes first and everybody signs it",
        people="an independent observer is the witness",
        tests=(
            f"{_CEREMONY}test_a_whole_ceremony_verifies_from_its_file",
            f"{_CEREMONY}test_without_a_witness_every_step_stops",
            f"{_CEREMONY}test_a_step_cannot_be_skipped_or_done_twice",
        ),
    ),
    Control(
        id="1.01.3",
        title="deterministic random bit generator",
        level=3,
        provided="the system's generator and dice or a file from another machine, mixed by HKDF; "
        "`init` wants a second source",
        tests=(
            f"{_PROVENANCE}test_a_change_of_either_source_changes_every_key",
            f"{_PROVENANCE}test_a_missing_or_poor_second_source_makes_no_home",
            f"{_KEYS}test_both_sources_reach_the_secret",
        ),
    ),
    Control(
        id="1.01.4",
        title="entropy pool",
        level=3,
        provided="a generator or source that looks dead, dice that are not fair, and seeds that "
        "others know are refused before any key is made",
        tests=(
            f"{_PROVENANCE}test_a_stuck_generator_makes_no_home_even_with_good_dice",
            f"{_SIGNER}dice.py::test_rolls_of_no_fair_die_are_refused",
            f"{_SIGNER}screening.py::test_published_bip39_vectors_are_refused",
        ),
    ),
    Control(
        id="1.02.1",
        title="a unique address for each transaction",
        level=3,
        provided="addresses are issued once by a counter that commits with them; change indexes "
        "are remembered by the signer",
        tests=(f"{_ENGINE}test_the_change_index_is_remembered",),
    ),
    Control(
        id="1.02.2",
        title="two or more signatures",
        level=2,
        provided="2-of-3 vaults; a key twice, a custodian twice, a Safe of threshold 1 and quorums "
        "that need not overlap are refused",
        people="give the keys to different people",
        tests=(
            f"{_ENGINE}test_two_signers_of_three_finish_a_transaction",
            f"{_DESCRIPTORS}test_same_key_twice_is_refused",
            f"{_SIGNER}home.py::test_two_quorums_without_a_common_member_are_refused",
            f"{_SIGNER}guard_evm_safe.py::test_what_is_not_registered_is_refused",
        ),
    ),
    Control(
        id="1.02.3",
        title="a redundant key",
        level=2,
        provided="a transaction finishes without the third key",
        people="keep more keys than needed, and drill the loss of one",
        tests=(f"{_ENGINE}test_two_signers_of_three_finish_a_transaction",),
    ),
    Control(
        id="1.02.4",
        title="deterministic wallets",
        level=3,
        provided="BIP-32 from one seed; vaults are descriptors with checksum",
        tests=(
            f"{_KEYS}test_published_bip32_vectors",
            f"{_KEYS}test_derivation_is_that_of_another_implementation",
            f"{_DESCRIPTORS}test_checksum_is_mandatory",
        ),
    ),
    Control(
        id="1.02.5",
        title="keys in different places",
        level=0,
        people="keep each key at another site",
    ),
    Control(
        id="1.02.6",
        title="keys in different organisations",
        level=0,
        people="let no legal entity hold enough keys to sign",
    ),
    Control(
        id="1.03.1",
        title="keys are encrypted at rest",
        level=3,
        provided="HK1: AES-256-GCM under a data key each, wrapped by Argon2id; derived again and "
        "compared after opening",
        tests=(
            f"{_KEYSTORE}test_every_flipped_byte_is_noticed",
            f"{_KEYSTORE}test_another_passphrase_does_not",
            f"{_KEYSTORE}test_a_file_whose_secret_is_not_the_named_one_is_refused",
        ),
    ),
    Control(
        id="1.03.2",
        title="a backup exists",
        level=2,
        provided="`backup split` into SLIP-39 groups; `drill` recovers and compares; the log and "
        "`status` say when it was last tried",
        people="give the shares to people at other places",
        tests=(
            f"{_BACKUP}test_a_seed_is_split_drilled_lost_and_recovered",
            f"{_SHARES}test_a_messy_pile_is_recovered_and_every_bad_share_is_named",
        ),
    ),
    Control(
        id="1.03.3",
        title="a backup survives fire, water and pulses",
        level=0,
        people="choose media and place",
    ),
    Control(
        id="1.03.4",
        title="a backup is access-controlled",
        level=1,
        provided="no share alone says anything; a custodian proves possession without showing it",
        people="keep each share locked and log who opens the lock",
        tests=(
            f"{_BACKUP}test_a_custodian_proves_possession_over_the_phone",
            f"{_SHARES}test_every_quorum_brings_the_seed_back_and_no_fewer_shares_do",
        ),
    ),
    Control(
        id="1.03.5",
        title="a backup shows tampering",
        level=1,
        provided="seal serials are a step of the ceremony and stand in its signed transcript; a "
        "changed share is named",
        people="seal the media and look at the seals regularly",
        tests=(
            f"{_CEREMONY}test_seals_of_two_signers_differ",
            f"{_SHARES}test_a_changed_share_among_just_enough_is_found_by_the_card",
        ),
    ),
    Control(
        id="1.03.6",
        title="a backup is encrypted as strongly as the key",
        level=3,
        provided="a copy of a home is encrypted as the home is; shares stand under a quorum and, "
        "where wished, a passphrase at 160,000 rounds",
        tests=(
            f"{_CLI}test_nothing_secret_is_printed",
            f"{_SHARES}test_a_wrong_passphrase_is_noticed_by_the_card",
        ),
    ),
    Control(
        id="1.03.7",
        title="a key custody policy",
        level=0,
        people="write it down; SECURITY.md says who is trusted with what",
    ),
)
