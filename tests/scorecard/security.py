"""Promises about hostile files and pages (G), and about long runs (H)."""

from tests.scorecard.promise import Promise

SECURITY = (
    Promise(
        "G1",
        "loading any file never runs code",
        (
            "runs/test_checkpoint.py::test_a_file_never_runs_code",
            "metrics/test_protocol.py::test_a_pickle_inside_is_never_opened",
        ),
    ),
    Promise(
        "G2",
        "no line of the package can run code from a file",
        ("laws/test_size.py::test_nothing_stored_can_run_code",),
        plants="laws/test_size.py::test_the_check_for_code_finds_a_planted_line",
    ),
    Promise(
        "G3",
        "hostile sizes are refused from headers",
        (
            "training/test_hostile.py::test_a_hostile_file_is_refused_before_it_is_read",
            "runs/test_facts.py::test_settings_that_ask_for_more_than_the_file_holds_build_nothing",
            "files/test_tar_archive.py::test_a_header_of_gigabytes_is_refused_by_its_size",
            "files/test_tar_archive.py::test_an_archive_of_repeated_bytes_is_refused_before_it_is_unpacked",
            "files/test_zip_archive.py::test_a_million_members_are_refused_before_they_are_listed",
            "files/test_zip_archive.py::test_sizes_that_lie_are_refused_or_rejected",
            "files/test_npz.py::test_zeros_that_unpack_to_a_thousand_times_their_size_are_refused",
            "files/test_npz.py::test_pickles_and_headers_that_lie_are_refused",
            "files/test_nesting.py::test_what_any_config_has_is_read_and_more_is_a_value_error",
            "metrics/test_protocol.py::test_a_file_that_unpacks_to_too_much_is_not_unpacked",
            "data/test_cifar10.py::test_hostile_archives_are_refused_by_their_headers",
        ),
    ),
    Promise(
        "G4",
        "no version of a dependency with a known fault is allowed",
        (
            "laws/test_dependency_versions.py::test_no_version_with_a_known_fault_is_allowed",
            "files/test_environment.py::test_an_older_torch_is_named_with_what_to_do",
        ),
        plants="laws/test_dependency_versions.py::test_a_known_bad_pin_is_seen",
        limit="of the list of known faults in that test: read the advisories before a release",
    ),
    Promise(
        "G5",
        "a download lands whole, verified, over https, or not at all",
        (
            "files/test_download.py::test_the_right_bytes_land_with_progress",
            "files/test_download.py::test_nothing_else_lands_and_one_line_says_why",
            "files/test_download.py::test_only_https_is_spoken_outside_this_machine",
        ),
    ),
    Promise(
        "G6",
        "names in archives, rows, labels and settings cannot leave their place",
        (
            "data/test_archives.py::test_no_member_leaves_its_place",
            "data/test_archives.py::test_links_in_a_tar_are_not_followed",
            "data/test_huggingface.py::test_a_row_cannot_name_a_file_outside_the_set",
            "files/test_links.py::test_folders_on_the_way_are_looked_at_and_the_root_is_not",
            "cli/test_links.py::test_no_link_at_any_name_makes_a_command_change_what_it_leads_to",
            "data/test_cifar10.py::test_names_in_an_archive_never_become_paths",
            "data/test_cifar10.py::test_a_link_in_place_of_a_file_is_not_followed",
        ),
    ),
    Promise(
        "G7",
        "the web page is served to this machine alone, elsewhere with a host and a token",
        (
            "web/test_security.py::test_the_page_is_served_to_this_machine_alone",
            "web/test_security.py::test_other_addresses_need_a_host_and_a_token",
            "web/test_security.py::test_no_path_is_served_without_the_token",
            "cli/web/test_serve.py::test_the_address_is_printed_with_a_token_and_ctrl_c_ends_the_page",
        ),
    ),
    Promise(
        "G8",
        "no other site can use the web page",
        (
            "web/test_security.py::test_another_host_or_site_gets_403_and_no_header_that_lets_it_read",
            "web/test_security.py::test_a_post_needs_an_origin_and_no_form_can_send_one",
            "web/test_security.py::test_hosts_of_an_open_address_are_numbers_or_its_own_name",
        ),
    ),
    Promise(
        "G9",
        "the web page serves no file outside the runs",
        (
            "web/test_security.py::test_no_file_outside_the_runs_is_served",
            "web/test_app.py::test_what_no_page_asks_for_is_refused_in_one_line",
        ),
    ),
    Promise(
        "G10",
        "requests to the web page are bounded",
        (
            "web/test_security.py::test_bodies_and_heads_are_bounded_and_memory_stays",
            "web/test_security.py::test_slow_clients_are_cut",
            "web/test_security.py::test_two_hundred_connections_are_not_kept_and_the_page_still_answers",
            "web/test_security.py::test_a_second_upload_waits_outside",
            "web/test_app.py::test_pictures_that_cannot_be_read_are_refused_in_one_line",
            "web/test_worker.py::test_long_work_rests_nineteen_times_as_long_as_it_worked_beside_busy_processes",
        ),
        limit="the time of a step beside the page is not tested: docs/web.md",
    ),
    Promise(
        "G11",
        "names are shown escaped, and no secret is logged",
        (
            "data/test_folder.py::test_any_file_name_is_read_and_shown_on_one_line",
            "data/test_archives.py::test_any_name_is_shown_on_one_line",
            "data/test_huggingface.py::test_class_names_hold_no_control_characters",
            "cli/test_names.py::test_a_run_uses_all_of_them_and_its_files_are_clean_text",
            "laws/test_no_network.py::test_no_verb_connects_starts_a_program_but_git_or_stores_a_secret",
            "web/test_security.py::test_every_answer_forbids_foreign_scripts_and_guesses_of_its_type",
            "web/test_security.py::test_the_token_is_in_no_log_and_in_no_answer",
            "web/test_static.py::test_a_file_loads_nothing_from_elsewhere_and_makes_no_markup_of_text",
        ),
    ),
    Promise(
        "G12",
        "no verb connects anywhere or starts a program but git by itself",
        (
            "laws/test_no_network.py::test_no_verb_connects_starts_a_program_but_git_or_stores_a_secret",
        ),
        must=False,
        plants="laws/test_no_network.py::test_an_attempt_would_be_seen",
    ),
    Promise(
        "H1",
        "memory does not grow with the steps of a run: less than 0.5 kB a step",
        (
            "training/test_long_run.py::test_memory_does_not_grow_with_steps_and_a_planted_leak_is_seen",
        ),
        plants="training/test_long_run.py::test_memory_does_not_grow_with_steps_and_a_planted_leak_is_seen",
    ),
    Promise(
        "H2",
        "no file, thread or process is left behind",
        (
            "training/test_faults.py::test_saves_starts_and_stops_leave_no_file_open",
            "training/test_long_run.py::test_starts_stops_saves_and_epochs_leave_nothing_behind",
            "training/test_long_run.py::test_fifty_saves_have_one_size_and_leave_two_files",
            "training/test_long_run.py::test_no_child_outlives_its_killed_parent",
        ),
    ),
    Promise(
        "H3",
        "the same command has the same bits, another seed others",
        (
            "training/test_resume.py::test_the_same_command_gives_the_same_bits_and_another_seed_others",
        ),
    ),
    Promise(
        "H4",
        "a change of the numbers is seen: 50 steps in float64, to 1e-9",
        ("training/test_golden.py::test_the_losses_are_those_of_before",),
        limit="last bits are not compared: they depend on processor and threads",
    ),
    Promise(
        "H5",
        "the environment is recorded, and a change is said",
        ("training/test_resume.py::test_a_changed_environment_is_told",),
    ),
    Promise(
        "H6",
        "every method runs in torch's deterministic mode",
        ("training/test_deterministic.py::test_every_method_needs_nothing_that_may_vary",),
        plants="training/test_deterministic.py::test_the_mode_does_refuse_what_may_vary",
        limit="on the CPU",
    ),
    Promise(
        "H7",
        "clock jumps, slow file systems and rotated logs change nothing",
        (
            "training/test_long_run.py::test_a_clock_that_jumps_back_a_day_changes_nothing",
            "training/test_long_run.py::test_a_slow_file_system_changes_nothing",
            "training/test_long_run.py::test_a_rotated_log_is_begun_again_and_the_run_ends_the_same",
        ),
        must=False,
        limit="saves are part of the step, not beside it: a slow disk makes a run slower",
    ),
    Promise(
        "H8",
        "half an hour of random faults changes no bit",
        (
            "training/test_soak.py::test_after_a_fault_of_every_kind_the_run_ends_as_the_undisturbed_one",
        ),
        must=False,
        plants="training/test_soak.py::test_what_no_run_can_mend_is_seen",
    ),
)
