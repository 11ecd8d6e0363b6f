"""Promises about images (A) and settings (B)."""

from tests.scorecard.promise import Promise

INPUTS = (
    Promise(
        "A1",
        "a broken image never ends a run midway, and is never used silently",
        (
            "cli/test_given_images.py::test_of_forty_good_and_twelve_bad_files_forty_are_trained_on_and_twelve_named",
            "data/test_prepare.py::test_a_folder_with_good_and_bad_files_is_used_and_every_bad_one_named",
            "data/test_preprocessing.py::test_a_file_cut_short_is_never_used",
            "data/test_archives.py::test_bad_members_are_rejected_and_the_others_used",
            "data/test_npz.py::test_a_file_cut_while_it_is_read_gives_rejects",
        ),
    ),
    Promise(
        "A2",
        "a mutated image is accepted or rejected, and nothing else happens",
        (
            "data/test_mutated.py::test_every_format_that_is_read_is_mutated",
            "data/test_mutated.py::test_three_hundred_mutants_of_each_format_end_in_pixels_or_a_reason",
            "data/test_mutated.py::test_three_hundred_mutants_of_each_container_end_in_pixels_or_a_reason",
            "data/test_preprocessing.py::test_any_bytes_end_in_pixels_or_a_reason",
            "data/test_colours.py::test_three_hundred_mutants_of_a_profile_end_in_pixels",
        ),
    ),
    Promise(
        "A3",
        "every mode of a picture gives the right pixels",
        (
            "data/test_preprocessing.py::test_a_ramp_of_greys_comes_out_as_the_same_greys",
            "data/test_preprocessing.py::test_sixteen_bits_a_colour_are_scaled_not_cut",
            "data/test_preprocessing.py::test_hidden_colours_do_not_show_through",
            "data/test_colours.py::test_the_range_that_a_file_names_is_black_to_white",
            "data/test_colours.py::test_zero_is_white_where_the_file_says_so",
            "data/test_colours.py::test_a_colour_profile_becomes_srgb",
            "data/test_preprocessing.py::test_lab_comes_out_as_the_colours_it_was_made_of",
            "data/test_preprocessing.py::test_one_bit_is_black_and_white",
            "data/test_preprocessing.py::test_floats_are_refused_by_name_and_so_are_large_integers",
            "data/test_preprocessing.py::test_a_transparent_colour_gives_way_to_the_background",
        ),
    ),
    Promise(
        "A4",
        "all eight EXIF orientations are applied, and a malformed one is said",
        (
            "data/test_preprocessing.py::test_all_eight_orientations_are_the_same_upright_picture",
            "data/test_preprocessing.py::test_the_orientation_of_a_jpeg_is_applied_also_when_it_is_decoded_smaller",
            "data/test_preprocessing.py::test_a_malformed_orientation_leaves_the_picture_as_it_is_and_is_said",
            "data/test_fit.py::test_an_orientation_is_applied_before_the_fit",
            "data/test_crops.py::test_a_crop_stands_upright",
        ),
    ),
    Promise(
        "A5",
        "a decompression bomb is refused from its header",
        (
            "data/test_preprocessing.py::test_bombs_are_refused_from_the_header_at_once",
            "data/test_preprocessing.py::test_a_long_animation_costs_no_more_than_its_first_frame",
            "data/test_preprocessing.py::test_the_cap_is_ours_when_pillow_has_none",
            "data/test_npz.py::test_a_bomb_is_refused_by_its_declared_size",
            "files/test_tar_archive.py::test_a_header_of_gigabytes_is_refused_by_its_size",
            "data/test_huggingface.py::test_a_picture_is_bounded_before_it_is_decoded",
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
            "cli/test_given_images.py::test_what_is_no_folder_of_images_is_one_line_and_exit_code_2",
            "cli/test_given_images.py::test_a_folder_that_may_not_be_read_is_one_line",
            "data/test_folder.py::test_a_missing_folder_a_file_and_empty_ones_are_each_one_clear_line",
            "data/test_passed_over.py::test_a_run_given_as_images_is_one_clear_line",
            "data/test_archives.py::test_an_archive_without_images_names_the_way_out",
        ),
    ),
    Promise(
        "A8",
        "tiny sets work or say why not",
        (
            "cli/test_given_images.py::test_fewer_images_than_a_batch_are_repeated_and_that_is_said_or_it_is_refused",
            "training/test_evaluator.py::test_a_run_on_a_few_images_measures_what_can_be_and_is_not_called_diverged",
            "training/test_evaluator.py::test_a_run_on_one_image_is_not_evaluated",
            "training/test_evaluator.py::test_equal_training_images_are_no_divergence_and_it_is_said_once_why",
            "training/test_validation.py::test_a_new_run_on_few_pictures_is_told_once_what_to_expect",
        ),
    ),
    Promise(
        "A9",
        "link loops end, and every file counts once",
        (
            "data/test_folder.py::test_link_loops_end_and_each_file_counts_once_under_its_real_name",
            "data/test_folder.py::test_a_link_to_a_folder_elsewhere_is_followed",
            "data/test_archives.py::test_links_in_a_tar_are_not_followed",
        ),
    ),
    Promise(
        "A10",
        "any file name is scanned, trained on, logged and listed",
        (
            "cli/test_names.py::test_a_run_uses_all_of_them_and_its_files_are_clean_text",
            "data/test_folder.py::test_any_file_name_is_read_and_shown_on_one_line",
            "data/test_folder.py::test_every_ending_in_any_case_is_found_and_hidden_names_are_not",
            "data/test_archives.py::test_any_name_is_shown_on_one_line",
            "cli/test_streams.py::test_a_name_that_is_no_text_is_written_so_that_it_can_be_read",
            "cli/test_streams.py::test_names_keep_their_bytes_and_other_characters_are_escaped_where_there_is_only_ascii",
        ),
    ),
    Promise(
        "A11",
        "duplicates and nearly empty classes are reported",
        (
            "data/test_prepare.py::test_duplicates_are_counted_and_those_in_two_classes_listed",
            "data/test_prepare.py::test_nearly_empty_classes_and_classes_of_broken_files_are_named",
            "data/test_huggingface.py::test_names_of_classes_without_images_are_left_out_with_one_line",
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
            "data/test_huggingface.py::test_rows_without_a_label_are_counted_and_said_once",
            "training/test_validation.py::test_the_refusal_says_what_the_layout_was_seen_to_be",
        ),
    ),
    Promise(
        "A13",
        "order and content do not depend on file system, workers or current folder",
        (
            "data/test_folder.py::test_the_order_is_by_name_whatever_the_order_of_creation",
            "data/test_prepare.py::test_the_bytes_do_not_depend_on_workers_on_creation_order_or_on_the_current_folder",
            "data/test_archives.py::test_an_archive_holds_what_its_folder_holds",
            "data/test_archives.py::test_the_order_of_the_members_does_not_matter",
        ),
    ),
    Promise(
        "A14",
        "changed images are noticed when a run continues",
        (
            "cli/test_new_data.py::test_changed_images_are_refused_and_a_flag_continues_on_them",
            "training/test_resume.py::test_other_images_are_refused_by_content",
            "data/test_folder.py::test_the_fingerprint_sees_every_change_even_with_the_old_size_and_time",
            "data/test_archives.py::test_a_changed_archive_is_another_and_is_read_again",
            "data/test_prepare.py::test_other_content_or_another_preprocessing_is_prepared_anew",
            "data/test_verified.py::test_one_flipped_bit_is_found_at_the_start_and_the_images_are_prepared_again",
            "cli/test_moved.py::test_other_images_at_another_place_begin_another_run",
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
            "methods/test_rotated_batches.py::test_every_batch_has_as_many_images_of_each_rotation",
        ),
    ),
    Promise(
        "B1",
        "a misspelt setting is an error with the nearest name",
        (
            "cli/test_typos.py::test_a_setting_with_one_letter_wrong_is_refused_with_its_full_path",
            "config/test_merge.py::test_every_name_with_one_letter_changed_is_an_error_naming_it",
            "cli/test_options.py::test_a_misspelt_option_of_any_verb_is_named_with_its_nearest",
            "config/test_schema.py::test_a_change_a_loss_an_extra_letter_and_a_swap_are_one_edit",
        ),
    ),
    Promise(
        "B2",
        "a wrong type or range is refused before any image is read",
        (
            "config/test_merge.py::test_an_error_names_the_path_the_value_and_what_would_be_right",
            "cli/test_stored_text.py::test_a_text_that_names_no_file_is_one_line_in_every_source",
            "cli/test_any_words.py::test_any_words_work_or_are_refused_in_one_line_and_create_nothing",
            "runs/test_config.py::test_any_value_anywhere_gives_a_run_or_a_user_error",
            "runs/test_config.py::test_every_count_is_refused_beyond_what_can_be_with_its_bound",
            "config/test_merge.py::test_any_value_anywhere_gives_a_config_or_a_user_error",
            "cli/test_main.py::test_bad_input_gets_one_line_and_exit_code_2",
        ),
    ),
    Promise(
        "B3",
        "numbers are numbers, and doubled keys are refused, in every format",
        (
            "config/test_merge.py::test_a_broken_toml_file_is_one_line_with_its_place",
            "config/test_merge.py::test_a_broken_json_file_is_refused",
            "config/test_merge.py::test_a_toml_file_is_laid_over",
            "config/test_merge.py::test_an_error_names_the_path_the_value_and_what_would_be_right",
            "config/test_numbers.py::test_a_number_is_a_number_in_every_form",
            "config/test_numbers.py::test_what_is_no_number_is_refused_in_every_form",
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
            "training/test_may_change.py::test_the_shapes_hold_every_class",
            "training/test_may_change.py::test_every_setting_but_the_listed_ones_is_refused_with_both_values",
            "training/test_may_change.py::test_what_may_change_changes_no_weight",
            "training/test_resume.py::test_with_decay_or_annealing_the_number_of_steps_is_no_longer_harmless",
            "cli/test_moved.py::test_a_place_is_no_setting",
            "cli/test_moved.py::test_everything_else_of_a_source_is",
        ),
    ),
    Promise(
        "B6",
        "settings that contradict each other are refused with both names",
        (
            "training/test_step.py::test_settings_that_make_no_sense_are_refused_by_name",
            "training/test_step.py::test_parts_of_one_image_are_refused_where_batch_norm_sees_rows",
            "training/test_ranks.py::test_what_cannot_be_cut_is_refused",
            "cli/test_main.py::test_bad_input_gets_one_line_and_exit_code_2",
        ),
        must=False,
    ),
    Promise(
        "B7",
        "a dry run says memory, disk, steps and files, and writes nothing",
        (
            "training/test_cost.py::test_a_dry_run_foretells_steps_files_disk_and_memory_of_five_steps",
            "training/test_cost.py::test_a_run_takes_what_was_foretold_with_its_best_and_its_healthy_state",
            "cli/test_main.py::test_dry_run_counts_and_writes_nothing",
            "training/test_plan.py::test_operations_are_those_that_torch_counts",
        ),
        must=False,
    ),
)
