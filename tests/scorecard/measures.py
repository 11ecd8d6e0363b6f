"""Promises about many processes (E) and metrics (F)."""

from tests.scorecard.promise import Promise

MEASURES = (
    Promise(
        "E1",
        "W processes are one process in every number of six steps, to 1e-9 in float64",
        (
            "training/test_ranks.py::test_batch_norm_over_ranks_is_that_of_the_whole_batch",
            "training/test_ranks.py::test_many_ranks_are_one_process_in_every_number_and_equal_to_the_bit",
        ),
        plants="training/test_ranks.py::test_that_comparison_sees_faults",
    ),
    Promise(
        "E2",
        "that comparison sees the faults of other trainers",
        ("training/test_ranks.py::test_that_comparison_sees_faults",),
        plants="training/test_ranks.py::test_that_comparison_sees_faults",
    ),
    Promise(
        "E3",
        "accumulation over parts is one big batch",
        (
            "training/test_step.py::test_parts_are_the_whole_without_batch_statistics",
            "methods/test_equations.py::test_parts_of_a_batch_have_their_mean_equal_to_the_whole",
            "training/test_step.py::test_settings_that_make_no_sense_are_refused_by_name",
            "training/test_step.py::test_power_iterations_advance_once_an_update",
        ),
    ),
    Promise(
        "E4",
        "each sample is used once an epoch for any number of processes",
        (
            "training/test_ranks.py::test_every_place_of_a_batch_is_some_ranks_once",
            "training/test_step.py::test_each_image_once_an_epoch",
        ),
    ),
    Promise(
        "E5",
        "after a killed process all restart from the last checkpoint, to the same bits",
        ("training/test_ranks.py::test_the_command_survives_a_killed_rank_to_the_same_bits",),
    ),
    Promise(
        "E6",
        "a frozen process is named with its step, and none is left running",
        (
            "training/test_ranks.py::test_a_rank_that_does_not_answer_is_told_after_the_time_out",
            "training/test_ranks.py::test_a_frozen_process_is_named_by_the_command_with_the_step_and_ended",
        ),
    ),
    Promise(
        "E7",
        "an error of one process never hangs the others",
        (
            "training/test_ranks.py::test_an_error_is_the_command_s_and_not_that_another_waited_in_vain",
            "training/test_ranks.py::test_an_error_of_one_rank_ends_all_and_is_the_one_that_is_told",
            "training/test_ranks.py::test_whatever_fails_on_one_rank_ends_all_before_the_time_out",
        ),
    ),
    Promise(
        "E8",
        "every loss, norm and number of updates works on two and three processes",
        (
            "training/test_ranks.py::test_batch_norm_over_ranks_is_that_of_the_whole_batch",
            "training/test_ranks.py::test_many_ranks_are_one_process_in_every_number_and_equal_to_the_bit",
        ),
    ),
    Promise(
        "E9",
        "processes never drift apart unseen",
        (
            "training/test_ranks.py::test_ranks_that_drift_apart_by_a_bit_are_found_and_the_tensor_named",
        ),
        must=False,
    ),
    Promise(
        "E10",
        "a worker that is killed, hangs or raises ends in words",
        (
            "data/test_prepare_faults.py::test_a_killed_preparation_goes_on_with_the_pieces_it_has",
            "data/test_prepare_faults.py::test_an_interrupt_stops_all_workers_soon",
        ),
        must=False,
        limit="images are decoded once by threads; training has no loader processes",
    ),
    Promise(
        "F1",
        "the Frechet distance is its closed form",
        (
            "metrics/test_frechet.py::test_diagonal_gaussians_have_the_closed_form",
            "metrics/test_frechet.py::test_two_by_two_that_do_not_commute",
            "metrics/test_frechet.py::test_sets_with_exact_moments_have_the_closed_form",
        ),
    ),
    Promise(
        "F2",
        "it is real, finite, symmetric, and 0 of a set to itself",
        (
            "metrics/test_frechet.py::test_both_forms_equal_the_singular_value_identity",
            "metrics/test_frechet.py::test_the_distance_to_itself_is_nothing_and_it_is_symmetric",
        ),
    ),
    Promise(
        "F3",
        "streamed and merged statistics are those of one shot",
        (
            "metrics/test_moments.py::test_streamed_and_merged_moments_are_those_of_one_shot",
            "metrics/test_moments.py::test_one_by_one_is_the_same_as_at_once",
            "metrics/test_moments.py::test_float32_rows_are_summed_in_float64",
        ),
    ),
    Promise(
        "F4",
        "the kernel distance is unbiased",
        (
            "metrics/test_kernel.py::test_the_estimate_is_unbiased_and_the_v_statistic_is_not",
            "metrics/test_kernel.py::test_small_sets_are_finite_when_asked_for_and_refused_otherwise",
        ),
    ),
    Promise(
        "F5",
        "the Inception score is exact on known probabilities",
        (
            "metrics/test_inception_features.py::test_images_that_all_say_the_same_score_1",
            "metrics/test_inception_features.py::test_certain_and_balanced_images_score_the_number_of_classes",
            "metrics/test_inception_features.py::test_the_score_is_numpys_over_floor_splits",
        ),
    ),
    Promise(
        "F6",
        "bias is shown, and numbers of other sample counts are not compared",
        (
            "metrics/test_frechet.py::test_fewer_images_score_worse_and_the_line_over_1_over_n_finds_the_truth",
            "metrics/test_protocol.py::test_numbers_of_unlike_protocols_do_not_compare",
            "evaluation/test_evaluate.py::test_every_number_carries_its_whole_protocol",
        ),
    ),
    Promise(
        "F7",
        "worse images have worse scores",
        (
            "metrics/test_features.py::test_the_worse_the_damage_the_larger_the_distance",
            "metrics/test_features.py::test_rotated_images_are_farther_than_upright_ones",
            "metrics/test_features.py::test_the_fewer_kinds_the_larger_the_distance",
        ),
    ),
    Promise(
        "F8",
        "the same pixels have the same score",
        (
            "evaluation/test_same_pixels.py::test_the_same_pixels_have_the_same_score_whatever_holds_them",
            "evaluation/test_same_pixels.py::test_jpeg_on_one_side_is_said",
            "evaluation/test_same_pixels.py::test_a_golden_resize_keeps_its_pixels",
            "evaluation/test_same_pixels.py::test_files_are_shrunk_by_one_smoothing_resizer_whose_pixels_stay",
            "evaluation/test_same_pixels.py::test_samples_are_rounded_to_the_nearest_pixel_and_pixels_come_back",
        ),
    ),
    Promise(
        "F9",
        "a score does not depend on batch size, workers or order",
        (
            "metrics/test_features.py::test_features_do_not_depend_on_the_batch_or_the_order",
            "metrics/test_features.py::test_the_distance_does_not_depend_on_the_batch_size",
        ),
        limit="one process measures; there are no ranks or workers",
    ),
    Promise(
        "F10",
        "stored features belong to content, preprocessing and weights",
        (
            "evaluation/test_features.py::test_a_damaged_piece_is_made_again",
            "evaluation/test_features.py::test_pieces_of_other_places_do_not_pass_for_these",
            "evaluation/test_features.py::test_other_images_features_or_devices_have_other_rows",
            "evaluation/test_features.py::test_two_at_once_store_one_whole_set_of_rows",
            "data/test_prepare.py::test_other_content_or_another_preprocessing_is_prepared_anew",
            "data/test_prepare.py::test_a_damaged_prepared_folder_is_made_again",
        ),
    ),
    Promise(
        "F11",
        "known values of CIFAR-10 are met with the Inception network",
        must=False,
        limit="not run: `ssgan evaluate cifar10 --against cifar10-test --features inception "
        "--download --metrics is --n 50000` should print an IS near 11.24 (published in the order "
        "of the files; here it is random). It needs the original images and the Inception weights",
    ),
    Promise(
        "F12",
        "published scores of SS-GAN are met, three seeds, protocol named",
        must=False,
        limit="not run: `ssgan study table1 --scale paper --test cifar10-test --features "
        "inception --variants ssgan,ssgan_sbn` must print FIDs within a stated band of 17.88; six "
        "runs of 100,000 steps need a GPU for days, and what F11 needs",
    ),
)
