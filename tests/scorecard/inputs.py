"""Promises about images (A) and settings (B)."""

from tests.scorecard.promise import Promise

INPUTS = (
    Promise(
        "A1",
        "a broken image never ends a run midway, and is never used silently",
        (
            "data/test_prepare.py::test_a_folder_with_good_and_bad_files_is_used_and_every_bad_one_named",
            "data/test_preprocessing.py::test_a_file_cut_short_is_never_used",
            "cli/test_data.py::test_strict_is_an_error_for_the_caller",
        ),
    ),
    Promise(
        "A2",
        "a mutated image is accepted or rejected, and nothing else happens",
        (
            "data/test_preprocessing.py::test_three_hundred_mutants_of_each_format_end_in_pixels_or_a_reason",
            "data/test_preprocessing.py::test_any_bytes_end_in_pixels_or_a_reason",
        ),
    ),
    Promise(
        "A3",
        "every mode of a picture gives the right pixels",
        (
            "data/test_preprocessing.py::test_a_ramp_of_greys_comes_out_as_the_same_greys",
            "data/test_preprocessing.py::test_sixteen_bits_a_colour_are_scaled_not_cut",
            "data/test_preprocessing.py::test_lab_comes_out_as_the_colours_it_was_made_of",
            "data/test_preprocessing.py::test_one_bit_is_black_and_white",
            "data/test_preprocessing.py::test_floats_are_refused_by_name_and_so_are_large_integers",
            "data/test_preprocessing.py::test_hidden_colours_do_not_show_through",
            "data/test_preprocessing.py::test_a_transparent_colour_gives_way_to_the_background",
            "data/test_preprocessing.py::test_half_transparent_greys_are_blended",
        ),
    ),
    Promise(
        "A4",
        "all eight EXIF orientations are applied, and a malformed one is said",
        (
            "data/test_preprocessing.py::test_all_eight_orientations_are_the_same_upright_picture",
            "data/test_preprocessing.py::test_the_orientation_of_a_jpeg_is_applied_also_when_it_is_decoded_smaller",
            "data/test_preprocessing.py::test_a_malformed_orientation_leaves_the_picture_as_it_is_and_is_said",
        ),
    ),
    Promise(
        "A5",
        "a decompression bomb is refused from its header",
        (
            "data/test_preprocessing.py::test_bombs_are_refused_from_the_header_at_once",
            "data/test_preprocessing.py::test_a_long_animation_costs_no_more_than_its_first_frame",
            "data/test_preprocessing.py::test_the_cap_is_ours_when_pillow_has_none",
        ),
    ),
    Promise(
        "A6",
        "of an animation the first frame is used, counted and said",
        ("data/test_preprocessing.py::test_the_first_frame_of_several_is_used_and_that_is_said",),
        must=False,
    ),
    Promise(
        "A7",
        "a folder that is empty, missing, unreadable or no folder is one line",
        (
            "data/test_folder.py::test_a_missing_folder_a_file_and_empty_ones_are_each_one_clear_line",
            "data/test_folder.py::test_an_unreadable_folder_is_one_clear_line",
            "cli/test_main.py::test_bad_input_gets_one_line_and_exit_code_2",
        ),
    ),
    Promise(
        "A8",
        "tiny sets work or say why not",
        (
            "training/test_evaluator.py::test_a_run_on_a_few_images_measures_what_can_be_and_is_not_called_diverged",
            "training/test_evaluator.py::test_a_run_on_one_image_is_not_evaluated",
        ),
    ),
    Promise(
        "A9",
        "link loops end, and every file counts once",
        (
            "data/test_folder.py::test_link_loops_end_and_each_file_counts_once_under_its_real_name",
            "data/test_folder.py::test_a_link_to_a_folder_elsewhere_is_followed",
        ),
    ),
    Promise(
        "A10",
        "any file name is scanned, trained on, logged and listed",
        (
            "data/test_folder.py::test_any_file_name_is_read_and_shown_on_one_line",
            "data/test_folder.py::test_every_ending_in_any_case_is_found_and_hidden_names_are_not",
            "cli/test_streams.py::test_a_name_that_is_no_text_is_written_so_that_it_can_be_read",
        ),
    ),
    Promise(
        "A11",
        "duplicates and nearly empty classes are reported",
        (
            "data/test_prepare.py::test_duplicates_are_counted_and_those_in_two_classes_listed",
            "data/test_prepare.py::test_nearly_empty_classes_and_classes_of_broken_files_are_named",
        ),
        must=False,
    ),
    Promise(
        "A12",
        "mistakes in the layout of class folders are named",
        (
            "data/test_folder.py::test_one_class_is_said_to_be_one",
            "data/test_folder.py::test_classes_one_level_too_deep_are_pointed_at",
            "data/test_folder.py::test_a_file_beside_the_class_folders_takes_the_labels_away_and_is_named",
            "data/test_folder.py::test_an_empty_class_folder_is_named",
            "training/test_validation.py::test_the_refusal_says_what_the_layout_was_seen_to_be",
        ),
    ),
    Promise(
        "A13",
        "order and content do not depend on file system, workers or current folder",
        (
            "data/test_folder.py::test_the_order_is_by_name_whatever_the_order_of_creation",
            "data/test_prepare.py::test_the_bytes_do_not_depend_on_workers_on_creation_order_or_on_the_current_folder",
        ),
    ),
    Promise(
        "A14",
        "changed images are noticed when a run continues",
        (
            "training/test_resume.py::test_other_images_are_refused_by_content",
            "data/test_folder.py::test_the_fingerprint_sees_every_change_even_with_the_old_size_and_time",
            "data/test_prepare.py::test_other_content_or_another_preprocessing_is_prepared_anew",
        ),
    ),
    Promise(
        "A15",
        "rotation labels are right and balanced",
        (
            "ops/test_rotation.py::test_every_copy_is_the_image_rotated_counter_clockwise",
            "ops/test_rotation.py::test_a_rotation_is_not_a_reflection",
            "ops/test_rotation.py::test_classes_follow_the_copies",
            "ops/test_rotation.py::test_images_that_are_not_square_cannot_be_stacked_with_their_rotations",
        ),
    ),
    Promise(
        "B1",
        "a misspelt setting is an error with the nearest name",
        (
            "config/test_merge.py::test_every_name_with_one_letter_changed_is_an_error_naming_it",
            "cli/test_options.py::test_a_misspelt_option_of_any_verb_is_named_with_its_nearest",
        ),
    ),
    Promise(
        "B2",
        "a wrong type or range is refused before any image is read",
        (
            "runs/test_config.py::test_any_value_anywhere_gives_a_run_or_a_user_error",
            "config/test_merge.py::test_any_value_anywhere_gives_a_config_or_a_user_error",
            "runs/test_config.py::test_every_count_is_refused_beyond_what_can_be_with_its_bound",
        ),
    ),
    Promise(
        "B3",
        "numbers are numbers, and doubled keys are refused, in every format",
        (
            "config/test_merge.py::test_a_broken_toml_file_is_one_line_with_its_place",
            "config/test_merge.py::test_a_broken_json_file_is_refused",
            "config/test_schema.py::test_a_form_says_what_a_declared_type_may_hold",
        ),
    ),
    Promise(
        "B4",
        "what is read equals what was written, and a run repeats from its own file",
        (
            "config/test_serialize.py::test_what_is_read_equals_what_was_dumped",
            "cli/test_config_file.py::test_a_run_s_own_config_starts_another_run_of_the_same_settings",
        ),
    ),
    Promise(
        "B5",
        "a run continues under harmless changes only, and refuses others with both values",
        (
            "training/test_resume.py::test_a_changed_setting_is_refused_with_its_path_and_both_values",
            "training/test_resume.py::test_what_is_written_may_change_and_the_bits_do_not",
        ),
    ),
    Promise(
        "B6",
        "settings that contradict each other are refused with both names",
        (
            "training/test_step.py::test_settings_that_make_no_sense_are_refused_by_name",
            "training/test_step.py::test_parts_of_one_image_are_refused_where_batch_norm_sees_rows",
            "training/test_ranks.py::test_what_cannot_be_cut_is_refused",
        ),
        must=False,
    ),
    Promise(
        "B7",
        "a dry run says memory, disk, steps and files, and writes nothing",
        (
            "cli/test_main.py::test_dry_run_counts_and_writes_nothing",
            "training/test_plan.py::test_operations_are_those_that_torch_counts",
            "training/test_snapshots.py::test_a_plan_counts_them",
        ),
        must=False,
    ),
)
