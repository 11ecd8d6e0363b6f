"""Promises about checkpoints and continued runs (C), and about bad numbers (D)."""

from tests.scorecard.promise import Promise

RUNS = (
    Promise(
        "C1",
        "killed at any time and run again, a run ends with the same bits",
        (
            "training/test_kill.py::test_killed_at_random_instants_every_run_ends_with_the_same_bits",
        ),
        plants="training/test_kill.py::test_a_harness_that_sees_nothing_would_be_seen",
    ),
    Promise(
        "C2",
        "killed at any point of a save, nothing is lost",
        (
            "training/test_kill.py::test_killed_at_any_point_of_a_save_nothing_is_lost",
            "training/test_kill.py::test_a_save_is_forced_to_disk_before_it_gets_its_name_and_old_ones_go_last",
            "files/test_atomic.py::test_killed_at_any_point_the_file_is_the_old_or_the_new_one",
            "files/test_atomic.py::test_write_comes_before_fsync_before_rename_before_fsync_of_the_folder",
        ),
    ),
    Promise(
        "C3",
        "a damaged newest checkpoint is named, the older one is used, the end is the same",
        (
            "runs/test_checkpoint.py::test_no_cut_and_no_flipped_bit_is_ever_read",
            "runs/test_checkpoint.py::test_a_damaged_newest_file_is_named_and_the_run_ends_the_same",
            "runs/test_damaged_files.py::test_a_damaged_checkpoint_is_passed_over_and_the_run_ends_the_same",
            "runs/test_resealed.py::test_a_checkpoint_of_anybodys_making_is_right_or_refused_in_a_line",
            "runs/test_facts.py::test_without_a_whole_checkpoint_the_whole_copies_are_named_with_their_commands",
        ),
    ),
    Promise(
        "C4",
        "leavings of a dead run never block the next save",
        (
            "runs/test_checkpoint.py::test_leavings_of_dead_runs_never_block_and_copies_of_the_user_stay",
            "runs/test_checkpoint.py::test_a_run_that_died_while_its_directory_was_made_is_no_stranger_there",
        ),
    ),
    Promise(
        "C5",
        "a run stopped at any step and continued has the same bits",
        (
            "training/test_resume.py::test_stopped_at_any_step_and_continued_the_bits_are_the_same",
            "training/test_killed_within_a_step.py::test_killed_between_any_two_updates_it_ends_with_the_same_bits_and_each_step_once",
            "training/test_killed_within_a_step.py::test_ended_within_an_evaluation_it_is_made_again_or_finished",
        ),
    ),
    Promise(
        "C6",
        "a checkpoint forgets nothing",
        ("runs/test_checkpoint.py::test_every_tensor_and_number_of_a_state_comes_back",),
    ),
    Promise(
        "C7",
        "the test of continued runs needs every piece of a checkpoint",
        ("runs/test_checkpoint.py::test_a_resumed_run_that_forgot_any_piece_ends_elsewhere",),
        plants="runs/test_checkpoint.py::test_a_resumed_run_that_forgot_any_piece_ends_elsewhere",
    ),
    Promise(
        "C8",
        "a full disk keeps the last good checkpoint and says so in words",
        (
            "training/test_faults.py::test_a_limit_on_files_ends_the_run_in_words_and_the_last_save_stands",
            "training/test_faults.py::test_a_full_disk_that_tears_a_log_line_is_said_and_mended",
            "training/test_full_disk.py::test_a_limit_of_200_kb_ends_with_74_and_the_bytes_needed",
            "training/test_full_disk.py::test_a_small_disk_ends_with_74_and_the_bytes_needed_and_free",
            "files/test_atomic.py::test_no_room_is_said_in_words_of_its_own_and_the_old_file_stands",
            "cli/test_main.py::test_a_full_disk_ends_any_command_with_its_code",
            "cli/test_streams.py::test_a_run_goes_on_to_its_end_when_nobody_can_read_its_lines",
        ),
    ),
    Promise(
        "C9",
        "a run folder that is read-only or vanishes is one line",
        (
            "training/test_faults.py::test_a_folder_below_a_file_is_refused",
            "training/test_faults.py::test_a_folder_that_vanishes_ends_the_run_and_is_not_half_made_again",
            "training/test_faults.py::test_a_folder_without_rights_is_refused_before_training",
        ),
    ),
    Promise(
        "C10",
        "SIGTERM, SIGINT and SIGUSR1 finish the step, save, and end with their code",
        (
            "training/test_kill.py::test_a_signal_ends_the_run_after_its_step_with_the_state_saved",
            "training/test_kill.py::test_a_signal_before_the_first_step_ends_with_its_code",
            "training/test_kill.py::test_a_signal_during_a_save_lets_it_finish",
            "training/test_kill.py::test_a_signal_from_outside_is_obeyed_at_once",
            "training/test_kill.py::test_a_second_signal_ends_the_run_at_once_and_it_still_continues",
            "training/test_killed_within_a_step.py::test_ended_within_an_evaluation_it_is_made_again_or_finished",
        ),
    ),
    Promise(
        "C11",
        "of two runs in one folder the second is refused, and the lock dies with its owner",
        (
            "training/test_kill.py::test_a_second_run_is_refused_and_the_lock_dies_with_its_owner",
            "files/test_locks.py::test_a_second_one_learns_who_is_there",
            "files/test_locks.py::test_a_killed_owner_frees_it_at_once",
        ),
    ),
    Promise(
        "C12",
        "logs hold every step once, whatever ended the process",
        (
            "training/test_kill.py::test_what_a_checkpoint_has_logged_is_forced_to_disk_before_it",
            "training/test_killed_within_a_step.py::test_killed_between_any_two_updates_it_ends_with_the_same_bits_and_each_step_once",
            "files/test_jsonl.py::test_cutting_back_drops_later_rows_and_what_is_no_row",
            "runs/test_facts.py::test_log_lines_that_were_lost_are_said_once_and_the_run_goes_on",
        ),
    ),
    Promise(
        "C13",
        "checkpoints of older versions load",
        (
            "training/test_golden.py::test_a_checkpoint_of_before_is_read_to_the_bit",
            "training/test_golden.py::test_a_checkpoint_of_before_is_continued_to_the_same_losses",
            "training/test_earlier_run.py::test_it_continues_to_the_end_it_had",
        ),
    ),
    Promise(
        "C14",
        "another number of processes has the same samples and the same maths",
        (
            "training/test_ranks.py::test_a_run_goes_on_with_another_number_of_processes",
            "training/test_ranks.py::test_many_ranks_continue_from_what_rank_0_has",
        ),
        must=False,
        limit="other devices were not run, and bits with another number of threads may differ",
    ),
    Promise(
        "C15",
        "a save has a bounded size, and two checkpoints exist at every instant",
        (
            "runs/test_checkpoint.py::test_the_two_newest_are_there_at_every_instant_and_the_best_as_well",
            "training/test_long_run.py::test_fifty_saves_have_one_size_and_leave_two_files",
            "training/test_long_run.py::test_a_slow_file_system_changes_nothing",
        ),
        must=False,
        limit="a save stops the training while it lasts: there is none in the background; its time "
        "is measured in benchmarks/",
    ),
    Promise(
        "D1",
        "NaN and infinity never reach weights, average, buffers or a checkpoint",
        (
            "training/test_faults.py::test_a_bad_number_is_named_and_changes_nothing",
            "training/test_faults.py::test_no_checkpoint_has_a_bad_number_and_the_run_can_be_continued",
            "training/test_ranks.py::test_a_bad_number_on_one_rank_alone_is_refused_by_all_and_changes_nothing",
        ),
        plants="training/test_faults.py::test_with_the_guard_off_the_bad_number_does_arrive",
    ),
    Promise(
        "D2",
        "bad numbers that come back are rolled back, and then stop the run with a reason",
        (
            "training/test_nonfinite.py::test_one_bad_step_costs_the_steps_since_the_checkpoint_and_no_more",
            "training/test_nonfinite.py::test_a_run_that_cannot_be_helped_ends_with_its_best_and_its_checkpoint_whole",
            "training/test_nonfinite.py::test_a_process_that_dies_after_going_back_does_not_try_the_same_numbers",
            "cli/test_main.py::test_a_bad_number_s_advice_is_for_a_new_run_alone",
        ),
    ),
    Promise(
        "D3",
        "divergence and collapse are seen, each alarm once, and none on healthy runs",
        (
            "training/test_monitor.py::test_a_healthy_trace_raises_nothing",
            "training/test_monitor.py::test_a_trace_that_goes_wrong_raises_its_alarm_exactly_once",
            "training/test_monitor.py::test_every_alarm_is_tried",
            "training/test_standstill.py::test_a_dead_discriminator_raises_one_alarm_within_200_steps",
            "training/test_standstill.py::test_guessed_rotations_are_an_alarm_after_a_warm_up_of_a_quarter",
            "training/test_stored_logs.py::test_a_stored_run_that_went_wrong_is_recognised",
            "training/test_stored_logs.py::test_a_stored_run_that_held_raises_no_alarm",
            "training/test_collapse.py::test_a_healthy_run_and_one_that_collapses_are_told_apart",
            "training/test_collapse.py::test_a_generator_that_makes_one_image_is_seen",
        ),
    ),
    Promise(
        "D4",
        "the spectral norm is right, and evaluation does not move it",
        (
            "ops/test_spectral_norm.py::test_sigma_is_the_largest_singular_value_after_fifty_iterations",
            "ops/test_spectral_norm.py::test_a_forward_never_moves_the_vectors",
            "ops/test_spectral_norm.py::test_vectors_are_float32_of_norm_one",
            "training/test_step.py::test_power_iterations_advance_once_an_update",
        ),
    ),
    Promise(
        "D5",
        "the average of the generator is right",
        (
            "ops/test_ema.py::test_a_value_fades_by_half_in_the_half_life",
            "ops/test_ema.py::test_linear_weights_lag_by_the_closed_form",
            "ops/test_ema.py::test_integers_and_spectral_vectors_are_copied",
        ),
    ),
    Promise(
        "D6",
        "evaluation leaves training untouched",
        (
            "training/test_faults.py::test_looking_at_a_run_does_not_change_it",
            "training/test_evaluator.py::test_looking_gives_every_mode_and_the_random_state_back",
        ),
    ),
    Promise(
        "D7",
        "in mixed precision a refused update changes neither weights nor average",
        (
            "training/test_faults.py::test_a_bad_number_is_named_and_changes_nothing",
            "training/test_faults.py::test_whoever_catches_the_refusal_can_go_on_as_if_nothing_had_been",
            "training/test_step.py::test_bfloat16_keeps_losses_and_weights_in_float32",
        ),
        limit="there is no float16 and no loss scaler",
    ),
    Promise(
        "D8",
        "too little memory names the setting, and smaller parts keep the result",
        (
            "training/test_too_little_memory.py::test_the_setting_is_named_no_half_update_is_saved_and_the_end_is_the_same",
            "training/test_too_little_memory.py::test_an_address_space_that_ends_is_said_in_a_line",
            "training/test_step.py::test_parts_are_the_whole_without_batch_statistics",
        ),
        must=False,
        limit="accumulation is never doubled by itself: the command names the setting and ends; "
        "memory of an accelerator was not exhausted for real",
    ),
)
