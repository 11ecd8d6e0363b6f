"""Promises about hostile files and pages (G), and about long runs (H)."""

from tests.scorecard.promise import Promise

_NO_PAGE = "there is no web page"

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
            "metrics/test_protocol.py::test_a_file_that_unpacks_to_too_much_is_not_unpacked",
            "data/test_cifar10.py::test_hostile_archives_are_refused_by_their_headers",
        ),
    ),
    Promise(
        "G4",
        "no version of a dependency with a known fault is allowed",
        ("laws/test_dependency_versions.py::test_no_version_with_a_known_fault_is_allowed",),
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
        "names in archives, labels and settings cannot leave their place",
        (
            "data/test_cifar10.py::test_names_in_an_archive_never_become_paths",
            "data/test_cifar10.py::test_a_link_in_place_of_a_file_is_not_followed",
        ),
    ),
    Promise("G7", "a web page is served to this machine alone, or with a token", limit=_NO_PAGE),
    Promise("G8", "no other site can use the web page", limit=_NO_PAGE),
    Promise("G9", "the web page serves no file outside the run", limit=_NO_PAGE),
    Promise("G10", "requests to the web page are bounded", limit=_NO_PAGE),
    Promise(
        "G11",
        "names are shown escaped, and no secret is logged",
        ("data/test_folder.py::test_any_file_name_is_read_and_shown_on_one_line",),
    ),
    Promise("G12", "no verb connects anywhere by itself", must=False),
    Promise("H1", "memory does not grow with the steps of a run"),
    Promise(
        "H2",
        "no file, thread or process is left behind",
        ("training/test_faults.py::test_saves_starts_and_stops_leave_no_file_open",),
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
        "a change of the numbers is seen",
        ("training/test_golden.py::test_the_losses_are_those_of_before",),
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
    Promise("H7", "clock jumps and slow file systems change nothing", must=False),
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
