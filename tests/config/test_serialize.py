import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssgan.config.schema import walk
from ssgan.config.serialize import added_setting, difference, dump, flatten, load
from ssgan.types import UserError
from tests.config.example import (
    BatchNorm,
    Folder,
    ModulatedNorm,
    Network,
    Noise,
    Norm,
    Plain,
    Run,
    Shape,
    Turned,
    example,
)

TRUSTED = ("tests",)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
METHODS = st.builds(Plain, beta=FLOATS) | st.builds(
    Turned, beta=FLOATS, alpha=st.floats(0, 1e300), fraction=st.floats(0.1, 1)
)
NORMS = st.builds(BatchNorm, momentum=FLOATS) | st.builds(ModulatedNorm, hidden=st.integers())
RUNS = st.builds(
    Run,
    method=METHODS,
    source=st.builds(Noise, seed=st.integers())
    | st.builds(Folder, path=st.text("ab/\udcffé", min_size=1).map(Path)),
    network=st.builds(Network, norm=NORMS, extra=st.none() | NORMS),
    shape=st.builds(Shape, st.integers(), st.integers()),
    batch_size=st.integers(1),
    seconds=st.none() | FLOATS,
    widths=st.lists(st.integers()).map(tuple),
    label=st.text().map(lambda text: text.replace("\0", "0")),
    fit=st.sampled_from(["crop", "pad"]),
    fixed_order=st.booleans(),
    methods=st.lists(METHODS, max_size=3).map(tuple),
)


def table() -> dict:
    return json.loads(json.dumps(dump(example())))


@given(config=RUNS)
@settings(max_examples=80, deadline=None)
def test_what_is_read_equals_what_was_dumped(config):
    read = load(json.loads(json.dumps(dump(config), allow_nan=False)), TRUSTED)
    assert read == config
    for found, wanted in zip(walk(read), walk(config), strict=True):
        assert type(found.value) is type(wanted.value)
    assert difference(read, config) == []


@dataclass(frozen=True, kw_only=True)
class Grown(Norm):
    old: int = 1
    later: int = added_setting(2)

    def name(self) -> str:
        return "grown"


def test_a_name_made_of_settings_stays_when_some_are_added_and_left_as_they_are():
    """At any depth; a later setting that is changed does count, and a file holds them all."""
    old = replace(example(), network=Network(norm=Grown()))
    changed = replace(example(), network=Network(norm=Grown(later=3)))
    kind = {"kind": "tests.config.test_serialize:Grown", "momentum": 0.9, "old": 1}
    assert dump(old, whole=False)["network"]["norm"] == kind
    assert dump(changed, whole=False)["network"]["norm"] == kind | {"later": 3}
    assert dump(old)["network"]["norm"] == kind | {"later": 2}
    assert dump(example(), whole=False) == dump(example())


def test_every_table_names_its_class():
    made = table()
    assert made["kind"] == "tests.config.example:Run"
    assert made["method"]["kind"] == "tests.config.example:Turned"
    assert made["shape"] == {"channels": 3, "size": 32}
    assert made["methods"][0] == {"kind": "tests.config.example:Plain", "beta": 1.0}


@pytest.mark.parametrize(
    "kind",
    [
        "os:system",
        "subprocess:Popen",
        "builtins:eval",
        "antigravity:Thing",
        "xmlrpc.server:Thing",
        "testsevil:Thing",
        "tests.config.example:Method",  # abstract
        "tests.config.example:example",  # a function
        "tests.config.example:Path",  # comes from elsewhere
        "tests.config.example:dataclass",
        "tests.config.example:Run.__init__",
        "tests.config.example:Run.__init__.__globals__",
        "tests.config.example:Turned.__class__",
        "tests.config.example:Shape",  # a NamedTuple
        "tests.config.example:BatchNorm",  # a fine class in the wrong place
        "tests.config.absent:Thing",
        "ssgan.config.help:Setting",
        "tests.config.test_serialize:Plain",  # lives elsewhere
        "ssgan.types:UserError",
        "ssgan.types:Batch",
        "tests.config.example:",
        ":Run",
        "Run",
        "",
        None,
        5,
        ["tests.config.example:Plain"],
        {},
    ],
)
def test_a_kind_that_does_not_fit_is_refused_and_nothing_is_imported(kind):
    made = table()
    made["method"]["kind"] = kind
    loaded = set(sys.modules)
    with pytest.raises(UserError, match=r"^method (has kind|must be a Method)"):
        load(made, TRUSTED)
    assert set(sys.modules) == loaded


@pytest.mark.parametrize("name", ["Alias", "StillAbstract", "AlsoAbstract"])
def test_a_second_name_and_an_abstract_class_are_no_kinds(name):
    made = table()
    made["network"]["norm"]["kind"] = f"tests.config.example:{name}"
    with pytest.raises(UserError, match="is no settings class"):
        load(made, TRUSTED)


def test_only_trusted_packages_are_looked_into():
    for trusted in ((), ("ssgan",), ("tests.config.test_serialize",), ("test",)):
        with pytest.raises(UserError, match="is in none of: ssgan"):
            load(table(), trusted)
    assert load(table(), ("tests.config.example",)) == example()


def test_a_missing_an_unknown_and_a_wrong_setting_are_refused():
    made = table()
    del made["method"]["alpha"]
    with pytest.raises(UserError, match=r"Turned needs a value for method\.alpha \(from f\.json\)"):
        load(made, TRUSTED, "f.json")
    made["method"]["alhpa"] = 1
    with pytest.raises(UserError, match=r"no setting 'method\.alhpa'; did you mean method\.alpha"):
        load(made, TRUSTED)
    for path, value in [("batch_size", 1.5), ("shape", [3, 8]), ("methods", {}), ("method", None)]:
        with pytest.raises(UserError, match=rf"^{path} must be"):
            load(table() | {path: value}, TRUSTED)
    with pytest.raises(UserError, match=r"^batch_size must be at least 1"):
        load(table() | {"batch_size": -1}, TRUSTED)
    with pytest.raises(UserError, match='needs a "kind"'):
        load({}, TRUSTED)


@given(
    name=st.sampled_from(sorted(table())),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.just("kind") | st.text(), inner)
        ),
        max_leaves=5,
    ),
)
@settings(max_examples=80, deadline=None)
def test_any_value_anywhere_is_read_or_refused(name, value):
    complaint = ""
    try:
        assert isinstance(load(table() | {name: value}, TRUSTED), Run)
    except UserError as error:
        complaint = str(error)
    assert "\n" not in complaint


def test_what_could_not_be_read_back_is_not_written():
    @dataclass(frozen=True)
    class Local:
        x: int = 1

    with pytest.raises(UserError, match="move Local out of the function"):
        dump(Local())
    with pytest.raises(UserError, match="seconds must be a finite number"):
        dump(replace(example(), seconds=float("inf")))
    with pytest.raises(TypeError, match="label"):
        dump(replace(example(), label=object()))


def test_differences_are_named_by_path():
    old = example()
    new = replace(
        old,
        network=Network(norm=ModulatedNorm()),
        shape=Shape(3, 64),
        methods=(Plain(beta=2.0), Turned()),
        fixed_order=True,
    )
    assert [str(entry) for entry in difference(old, new)] == [
        "network.norm: BatchNorm before, ModulatedNorm now",
        "shape.size: 32 before, 64 now",
        "fixed_order: false before, true now",
        "methods.0.beta: 1.0 before, 2.0 now",
    ]
    assert difference(old, example()) == []
    assert difference(replace(old, batch_size=1), replace(old, batch_size=True)) != []
    assert [entry.path for entry in difference(old, replace(old, methods=()))] == ["methods"]


def test_a_flat_table_has_the_full_name_of_every_value():
    nested = {"a": {"b": {"c": 1}, "d": [{"e": 2}]}, "f": None, "g": {}}
    assert flatten(nested) == {"a.b.c": 1, "a.d": [{"e": 2}], "f": None}
