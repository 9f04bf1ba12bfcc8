"""Aspects 1.01 to 1.03: how keys are made, what wallets are made of, how keys are kept."""

from signer.ccss.control import Control

_SIGNER = "tests/unit/signer/test_"
_ENGINE, _KEYS = f"{_SIGNER}engine.py::", f"{_SIGNER}keys.py::"
_KEYSTORE, _CLI = f"{_SIGNER}keystore.py::", f"{_SIGNER}cli.py::"
_BUNDLE = "tests/integration/test_airgap_bundle.py::"
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
        level=1,
        provided="the keyholder's first day in the README; INSTALL.txt, which a test follows",
        people="an independent observer signs off",
        tests=(f"{_BUNDLE}test_the_instructions_lead_to_a_working_signer",),
    ),
    Control(
        id="1.01.3",
        title="deterministic random bit generator",
        level=2,
        provided="the system's generator; `init --entropy-file` mixes a second source by HKDF",
        people="give the second source, which is level 3",
        tests=(
            f"{_KEYS}test_new_secrets_come_from_the_generator_that_is_given",
            f"{_KEYS}test_both_sources_reach_the_secret",
        ),
    ),
    Control(
        id="1.01.4",
        title="entropy pool",
        level=3,
        provided="a generator or source that looks dead is refused before any key is made",
        tests=(
            f"{_KEYS}test_a_stuck_generator_is_refused",
            f"{_KEYS}test_a_poor_second_source_is_refused",
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
        provided="2-of-3 vaults; a Safe of threshold 1 and a key twice are refused",
        people="give the keys to different people",
        tests=(
            f"{_ENGINE}test_two_signers_of_three_finish_a_transaction",
            f"{_DESCRIPTORS}test_same_key_twice_is_refused",
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
        level=0,
        people="copy the home and its passphrase to another place",
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
        level=0,
        people="keep it locked and log who opens the lock",
    ),
    Control(
        id="1.03.5",
        title="a backup shows tampering",
        level=0,
        people="seal it and check the seal's number",
    ),
    Control(
        id="1.03.6",
        title="a backup is encrypted as strongly as the key",
        level=3,
        provided="key files are never written in clear, so a copy of a home is encrypted",
        tests=(f"{_CLI}test_nothing_secret_is_printed",),
    ),
    Control(
        id="1.03.7",
        title="a key custody policy",
        level=0,
        people="write it down; SECURITY.md says who is trusted with what",
    ),
)
