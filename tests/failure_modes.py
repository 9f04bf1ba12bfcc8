"""The ways in which wallets of exchanges lose or double money, and the tests that each has here.

A number and its title are those of the list of failure modes that this project answers; a test is
named as `path::function`. `test_failure_modes.py` checks that every test exists and none is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_I, _N, _U, _C = "tests/integration", "tests/nodes", "tests/unit", "tests/unit/chains"
_DEPOSITS = f"{_I}/test_deposits.py::"
_RESTARTS = f"{_N}/test_restarts.py::"
_PAYING = f"{_I}/test_withdrawals_paying.py::"
_EVM_NODE = f"{_N}/test_evm_chain.py::"
_SIGNER = f"{_U}/signer/"
_CRASH = f"{_I}/test_withdrawals_crash.py::"
_SWEEPS = "tests/integration/test_failure_modes_sweeps.py::"
_FEES = f"{_I}/test_failure_modes_fees.py::"
_FOUND = f"{_I}/test_failure_modes_deposits.py::"
_STUCK = f"{_I}/test_failure_modes_payments.py::"
_TOKENS = f"{_I}/test_failure_modes_tokens.py::"
_ODD = f"{_N}/test_odd_tokens.py::"
_HOOKS = f"{_I}/api/test_webhooks.py::"


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to lose money, and what shows that it is closed."""

    title: str
    tests: tuple[str, ...]


MODES: Mapping[int, Mode] = {
    1: Mode(
        "the cursor jumps past blocks that nobody scanned",
        (
            _FOUND + "test_mode_01_cursor_never_jumps_past_unscanned_blocks",
            _FOUND + "test_mode_01_a_hole_made_by_hand_stops_the_scan_and_is_named",
            f"{_I}/test_coverage.py::test_a_missing_block_is_found_stops_the_scan_and_alerts_once",
            f"{_I}/test_coverage.py::test_a_restarted_watcher_looks_for_gaps_before_its_first_block",
            f"{_I}/test_catching_up.py::test_a_week_of_blocks_is_caught_up_without_a_gap_in_passes",
        ),
    ),
    2: Mode(
        "an error in a block is swallowed and the block counts as done",
        (
            _FOUND + "test_mode_02_a_block_that_fails_is_not_passed_and_leaves_nothing",
            f"{_C}/test_evm_scan.py::test_a_malformed_transfer_of_a_listed_token_is_named_and_the_others_are_found",
            f"{_C}/test_utxo_blocks.py::test_changed_transaction_is_refused",
            _DEPOSITS + "test_killed_at_each_persisted_step_nothing_is_lost_or_twice",
        ),
    ),
    3: Mode(
        "a lagging node gives empty logs without an error",
        (
            _TOKENS + "test_mode_3_a_node_that_leaves_logs_out_is_found_by_the_bloom_filter",
            f"{_C}/test_evm_scan.py::test_receipts_that_are_not_the_blocks",
            f"{_N}/test_evm_proofs.py::test_a_lie_about_a_block_is_found",
            _DEPOSITS + "test_a_lagging_node_is_waited_for_not_rolled_back",
        ),
    ),
    4: Mode(
        "a reorganisation is not applied or not told",
        (
            _FOUND + "test_mode_04_a_reorg_is_applied_booked_back_and_announced",
            f"{_N}/test_deposits_on_nodes.py::test_a_deep_reorg_of_outputs_reverses_pauses_and_credits_again",
            f"{_N}/test_deposits_on_nodes.py::test_a_deep_reorg_of_ether_reverses_pauses_and_credits_again",
            f"{_RESTARTS}test_a_node_killed_in_a_reorganisation_that_nobody_has_seen",
            _DEPOSITS + "test_reorg_before_credit_orphans_and_a_new_block_brings_it_back",
            _DEPOSITS + "test_reorg_after_credit_reverses_and_credits_again_in_the_new_block",
            _DEPOSITS
            + "test_a_reversal_pauses_withdrawals_of_the_asset_once_until_a_person_decides",
            f"{_I}/test_coverage.py::test_reorgs_to_depth_one_hundred_are_followed",
        ),
    ),
    5: Mode(
        "of several credits in one transaction one is booked",
        (
            _FOUND + "test_mode_05_each_output_of_a_transaction_is_a_deposit",
            _DEPOSITS + "test_several_outputs_of_one_transaction_are_several_deposits",
            f"{_C}/test_evm_scan.py::test_two_logs_of_one_transaction_are_two_inflows",
            _ODD + "test_one_move_told_twice_is_worth_one",
        ),
    ),
    6: Mode(
        "a deposit is credited twice when blocks are scanned again",
        (
            _FOUND + "test_mode_06_replay_by_rescan_restart_and_reorg_credits_once",
            f"{_I}/test_rescanning.py::test_scan_twice_is_scan_once",
            _DEPOSITS + "test_a_reorg_and_back_to_the_very_same_blocks_credits_again",
            _DEPOSITS + "test_any_history_of_blocks_and_reorgs_ends_with_books_equal_to_the_chain",
            f"{_I}/test_coverage.py::test_scanning_again_moves_heights_to_the_new_version",
        ),
    ),
    7: Mode(
        "a replaced incoming payment still counts",
        (
            _FOUND + "test_mode_07_a_replaced_payment_never_counts",
            f"{_N}/test_deposits_on_nodes.py::test_a_real_fee_bump_that_pays_elsewhere_replaces_the_deposit",
            f"{_N}/test_deposits_on_nodes.py::test_an_evm_transaction_replaced_at_its_nonce_is_told",
            _DEPOSITS + "test_conflicting_spend_after_a_reorg_marks_the_deposit_replaced",
        ),
    ),
    8: Mode(
        "credit from wrong evidence: calldata, failed transfers, fake events, decimals",
        (
            f"{_C}/test_evm_token_moves.py::test_a_failed_transaction_touches_nothing",
            f"{_C}/test_evm_scan.py::test_a_failed_transaction_moves_nothing",
            _EVM_NODE + "test_tokens_that_differ_from_the_configuration_stop_everything",
            _ODD + "test_events_without_money_are_never_credited_nor_taken_for_payments",
            _ODD + "test_a_fee_token_is_booked_by_what_arrived_on_every_way",
            _ODD + "test_a_rebase_is_told_and_left_to_people",
            _ODD + "test_money_without_events_is_held_and_a_withdrawal_waits_for_a_person",
            _ODD + "test_an_upgraded_token_credits_nothing_until_its_code_is_trusted",
        ),
    ),
    9: Mode(
        "ether that a contract sent is never seen",
        (
            _EVM_NODE + "test_ether_from_inside_a_contract_is_found",
            _EVM_NODE + "test_trace_block_finds_the_same",
            _EVM_NODE + "test_balance_deltas_find_the_same",
            _EVM_NODE + "test_a_node_without_any_evidence_is_refused",
        ),
    ),
    10: Mode(
        "a node's new version changes a format and detection stops in silence",
        (
            _TOKENS + "test_mode_10_an_evm_answer_without_a_field_is_loud",
            f"{_N}/test_conformance.py::test_the_pinned_evm_node_answers_what_we_read",
            f"{_N}/test_conformance.py::test_the_pinned_utxo_nodes_answer_what_we_read",
            f"{_C}/test_utxo_node.py::test_unknown_shapes_are_loud",
            f"{_N}/test_utxo_chains.py::test_mweb_blocks_end_in_a_hogex",
        ),
    ),
    11: Mode(
        "the answer to a broadcast is lost and the payment is made again",
        (
            _PAYING + "test_a_lost_answer_is_resolved_by_looking",
            _CRASH + "test_killed_at_a_step_with_an_answer_lost_after_broadcast",
            _CRASH + "test_killed_at_a_step_with_a_broadcast_that_never_arrived",
            _STUCK + "test_mode_11_a_lost_answer_is_answered_by_the_same_bytes",
            f"{_N}/test_replacements.py::test_a_line_cut_in_the_middle_of_a_broadcast",
            f"{_RESTARTS}test_a_node_that_freezes_while_it_is_given_a_payment",
            f"{_RESTARTS}test_a_node_killed_with_a_payment_and_a_deposit_in_its_pool",
        ),
    ),
    12: Mode(
        "a crash, or two executors, between sending and saving",
        (
            _CRASH + "test_killed_at_every_step_one_after_the_other",
            _CRASH + "test_sigkill_of_a_real_process",
            f"{_I}/test_leases.py::test_a_stopped_and_revived_worker_changes_no_payment",
            _STUCK + "test_mode_12_of_two_executors_one_pays",
        ),
    ),
    13: Mode(
        "withdrawals are stuck with no way out",
        (
            f"{_I}/test_waiting.py::test_every_state_that_is_no_end_has_its_duty",
            f"{_I}/test_waiting.py::test_every_such_state_shows_its_age_in_the_metrics",
            f"{_I}/test_withdrawals_requests.py::test_every_waiting_state_ends_at_its_deadline",
            _STUCK + "test_mode_13_a_stuck_payment_has_a_way_out",
        ),
    ),
    14: Mode(
        "nonces have gaps and conflicts",
        (
            _PAYING + "test_evm_withdrawals_take_nonces_in_order",
            _PAYING + "test_an_abandoned_nonce_is_used_again",
            _STUCK + "test_mode_14_a_hole_is_filled_and_a_strangers_use_is_told",
        ),
    ),
    15: Mode(
        "fee spikes and bad bumps",
        (
            _FEES + "test_mode_15_a_source_in_another_unit_cannot_set_the_price",
            _FEES + "test_mode_15_a_fee_spike_is_paid_only_up_to_the_ceiling",
            _PAYING + "test_a_fee_over_the_cap_waits_for_cheaper_hours",
            _STUCK + "test_mode_15_a_spike_is_followed_to_the_cap_and_no_further",
        ),
    ),
    16: Mode(
        "long unconfirmed chains stall payouts",
        (
            _FEES + "test_mode_16_a_burst_is_paid_from_confirmed_coins_without_waiting",
            _FEES + "test_mode_16_without_a_pool_the_second_payment_waits_instead_of_chaining",
            f"{_I}/test_children.py::test_an_expired_payment_is_paid_for_by_a_child",
        ),
    ),
    17: Mode(
        "a token sweep is stuck on gas",
        (
            f"{_I}/test_payments_gather.py::test_tokens_wait_for_their_gas_to_be_final",
            f"{_I}/test_payments_gather.py::test_the_top_up_saga_killed_at_a_step_continues",
            _SWEEPS + "test_mode_17_a_price_that_keeps_rising_is_followed_once_and_then_waited_for",
            _SWEEPS
            + "test_mode_17_leftover_gas_is_on_the_books_by_address_and_pays_the_next_gather",
        ),
    ),
    18: Mode(
        "deposits under the threshold are stranded or counted as collected",
        (
            f"{_I}/test_payments_gather.py::test_below_the_minimum_stays_until_it_is_enough",
            f"{_I}/test_payments_gather.py::test_several_deposits_of_one_address_are_one_gather",
            _SWEEPS
            + "test_mode_18_what_is_under_the_threshold_stays_visible_and_is_gathered_with_more",
        ),
    ),
    19: Mode(
        "fragments, dust and wasteful choice of coins",
        (
            _FEES + "test_mode_19_fragments_become_one_coin_only_in_a_cheap_hour",
            _FEES + "test_mode_19_dusting_is_never_spent_beside_real_coins",
        ),
    ),
    20: Mode(
        "rescan and index are too slow at an exchange's size",
        (
            _FOUND + "test_mode_20_one_transaction_is_scanned_again_without_the_rest",
            f"{_C}/test_watched.py::test_growing_keeps_everything_and_stays_small",
            f"{_I}/test_catching_up.py::test_a_week_of_blocks_is_caught_up_without_a_gap_in_passes",
        ),
    ),
    21: Mode(
        "the gap limit hides money after a restore or a burst",
        (
            _FOUND + "test_mode_21_addresses_are_watched_by_stored_index_not_by_gap",
            f"{_I}/test_addresses.py::test_an_aborted_request_uses_no_index",
        ),
    ),
    22: Mode(
        "one address for two users",
        (
            _FOUND + "test_mode_22_no_two_users_ever_get_one_address",
            f"{_I}/test_addresses.py::test_requests_at_once_never_share_an_address",
            f"{_I}/test_addresses.py::test_every_request_gets_a_fresh_address",
        ),
    ),
    23: Mode(
        "address checks are wrong",
        (
            _TOKENS + "test_mode_23_own_hot_and_cold_addresses_are_no_payees",
            f"{_C}/test_evm_addresses.py::test_refusals_have_their_own_code",
            f"{_C}/test_evm_addresses.py::test_a_token_contract_is_no_payee",
            f"{_C}/test_utxo_addresses.py::test_core_valid_addresses",
            f"{_C}/test_utxo_addresses.py::test_one_changed_character_is_never_accepted",
            _PAYING + "test_a_call_that_would_revert_is_not_sent",
        ),
    ),
    24: Mode(
        "webhooks are lost, muted or unsigned",
        (
            _HOOKS + "test_a_worker_killed_after_queueing_loses_and_repeats_nothing",
            _HOOKS + "test_a_failed_delivery_is_tried_again_on_the_schedule_and_then_given_up",
            _HOOKS + "test_a_receiver_can_check_the_signature_with_the_open_library",
            _HOOKS + "test_a_name_that_turns_inward_later_is_refused_at_delivery",
            _HOOKS + "test_gone_pauses_a_webhook_until_it_is_resumed",
            _HOOKS + "test_what_was_given_up_is_told_and_sent_again_when_asked",
        ),
    ),
    25: Mode(
        "keys leak, or approvers are shown something else",
        (
            _SIGNER
            + "test_total_compromise.py::test_an_attacker_with_every_online_key_gets_nothing",
            _SIGNER + "test_guard_evm.py::test_bytes_that_are_not_the_payment",
            _SIGNER + "test_guard_psbt.py::test_an_unapproved_output_is_refused",
            f"{_C}/test_utxo_node.py::test_credentials_are_sent_but_never_shown",
            _HOOKS + "test_secrets_are_not_stored_in_the_clear",
        ),
    ),
}
