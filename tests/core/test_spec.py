"""The study file: what is right is read, what is wrong is named."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.core.seeds import Seeds
from seedbed.core.spec import Spec, make_spec, parse_bytes, read_spec


def spec(**sections: Any) -> Spec:
    return make_spec(sections, where="study.toml")


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "study.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_an_empty_file_is_a_study_with_the_documented_defaults(tmp_path: Path) -> None:
    found = read_spec(written(tmp_path, ""))
    assert found == Spec()
    assert (found.model.name, found.task.name) == ("minilm", "docmatch")
    assert len(found.seeds.seeds()) == 25


def test_the_documented_file_is_read(tmp_path: Path) -> None:
    text = """
[model]
name = "minilm"
[task]
name = "mrpc"
data = "MRPC"
train_samples = 1000
[recipe]
num_train_epochs = 3
learning_rate = 2e-5
precision = "auto"
[evaluation]
per_epoch = 10
metric = "acc_and_f1"
[seeds]
design = "crossed"
init = 5
order = [3, 4]
[policy]
budget = 10
patience = 8
[run]
workers = "local"
disk_budget = "20 GB"
"""
    found = read_spec(written(tmp_path, text))
    assert found.task.data == str(tmp_path / "MRPC")
    assert found.run.disk_budget_bytes == 20 * 10**9
    assert {(s.init, s.order) for s in found.seeds.seeds()} == {
        (i, j) for i in range(1, 6) for j in (3, 4)
    }


def test_a_resolved_file_reads_back_as_itself(tmp_path: Path) -> None:
    first = spec(
        seeds={"design": "list", "trials": [{"init": 1, "order": 2}]}, policy={"budget": 2}
    )
    text = tomli_w.dumps(first.model_dump(mode="json", exclude_none=True))
    assert read_spec(written(tmp_path, text)) == first


WRONG: dict[str, tuple[str, list[str]]] = {
    "unknown section": ("[recipes]\n", ["unknown section 'recipes'", "did you mean 'recipe'?"]),
    "unknown key": (
        "[recipe]\nlearning_rte = 1\n",
        ["'learning_rte'", "did you mean 'learning_rate'?"],
    ),
    "key with a hyphen": (
        "[recipe]\nlearning-rate = 1\n",
        ["'learning-rate'", "did you mean 'learning_rate'?"],
    ),
    "key of another section": (
        "[model]\nbatch_size = 1\n",
        ["unknown key 'batch_size'", "learner, name"],
    ),
    "key without section": ("batch_size = 3\n", ["unknown section 'batch_size'"]),
    "section is a value": ("recipe = 3\n", ["[recipe]"]),
    "text for a number": (
        '[recipe]\nbatch_size = "16"\n',
        ["[recipe] batch_size", "integer", "16"],
    ),
    "number for a text": ("[model]\nname = 3\n", ["[model] name", "string"]),
    "true for a number": ("[recipe]\nbatch_size = true\n", ["[recipe] batch_size", "integer"]),
    "fraction for a count": ("[recipe]\nbatch_size = 1.5\n", ["[recipe] batch_size", "integer"]),
    "zero batch": (
        "[recipe]\nbatch_size = 0\n",
        ["[recipe] batch_size", "greater than or equal to 1"],
    ),
    "no number": ("[recipe]\nlearning_rate = nan\n", ["[recipe] learning_rate", "finite"]),
    "infinite": ("[policy]\nbudget = inf\n", ["[policy] budget", "finite"]),
    "negative": ("[recipe]\nwarmup_ratio = -0.1\n", ["[recipe] warmup_ratio"]),
    "dropout of one": ("[recipe]\ndropout = 1.0\n", ["[recipe] dropout", "less than 1"]),
    "unknown choice": ('[seeds]\ndesign = "grid"\n', ["[seeds] design", "'crossed'", "grid"]),
    "unknown policy": ('[policy]\nname = "hyperband"\n', ["[policy] name", "'start-many'"]),
    "negative seed": ("[seeds]\ninit = [-1]\n", ["[seeds] init"]),
    "too large a seed": (f"[seeds]\ninit = [{2**63}]\n", ["[seeds] init"]),
    "no seeds": ("[seeds]\ninit = []\n", ["[seeds]", "no seed"]),
    "none at all": ("[seeds]\ninit = 0\n", ["[seeds] init"]),
    "a seed twice": ("[seeds]\ninit = [1, 1]\n", ["[seeds]", "twice"]),
    "unpaired": ('[seeds]\ndesign = "paired"\ninit = 3\norder = 2\n', ["3 init and 2 order"]),
    "a list without trials": ('[seeds]\ndesign = "list"\n', ["trials"]),
    "trials without a list": ("[seeds]\ntrials = [{ init = 1, order = 1 }]\n", ["trials"]),
    "half a trial": ('[seeds]\ndesign = "list"\ntrials = [{ init = 1 }]\n', ["init and order"]),
    "a trial twice": (
        '[seeds]\ndesign = "list"\ntrials = [{init = 1, order = 1}, {init = 1, order = 1}]\n',
        ["same seeds"],
    ),
    "too many seeds": ("[seeds]\ninit = 1000000000\n", ["[seeds]", "at most"]),
    "too large a grid": ("[seeds]\ninit = 100000\norder = 100000\n", ["[seeds]", "at most"]),
    "budget and rule": ("[policy]\nbudget = 3\nstart = 4\n", ["[policy]", "not both"]),
    "rule without name": ("[policy]\nstart = 4\nat = 0.5\nkeep = 1\n", ["start-many"]),
    "half a rule": ('[policy]\nname = "start-many"\nstart = 4\n', ["start, at and keep"]),
    "none with a rule": ('[policy]\nname = "none"\nstart = 4\n', ["none"]),
    "no budget": ("[policy]\nbudget = 0\n", ["[policy] budget"]),
    "no size": ('[run]\ndisk_budget = "much"\n', ["[run] disk_budget", "20 GB"]),
    "empty model": ('[model]\nname = ""\n', ["[model] name"]),
    "no path": ('[task]\ndata = "a\\u0000b"\n', ["[task] data"]),
    "no home": ('[task]\ndata = "~nobody-of-that-name/x"\n', ["[task] data"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named(tmp_path: Path, case: str) -> None:
    text, words = WRONG[case]
    with pytest.raises(InputError) as caught:
        read_spec(written(tmp_path, text))
    assert caught.value.exit_code == 2
    for word in words:
        assert word in str(caught.value)


def test_the_place_of_an_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_spec(written(tmp_path, "[recipe]\nlr = 1\n"))
    assert str(tmp_path / "study.toml") in str(caught.value)
    assert "[recipe]" in str(caught.value)


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "broken": (b"[recipe\n", "not valid TOML"),
    "latin-1": ('[model]\nname = "é"\n'.encode("latin-1"), "not UTF-8"),
    "null": (b"\x00\x00", "not valid TOML"),
    "a key twice": (b"[recipe]\nbatch_size = 1\nbatch_size = 2\n", "not valid TOML"),
    "deep": (b"a = " + b"[" * 50_000, "nested"),
    "long number": (b"[recipe]\nbatch_size = " + b"9" * 5000, "study.toml"),
    "long hex number": (b"[recipe]\nbatch_size = 0x" + b"f" * 9000, "batch_size"),
    "long hex rate": (b"[recipe]\nlearning_rate = 0x" + b"f" * 9000, "learning_rate"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_is_no_study_file_is_refused(tmp_path: Path, case: str) -> None:
    content, word = UNREADABLE[case]
    with pytest.raises(InputError, match=word):
        read_spec(written(tmp_path, content))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such study file"):
        read_spec(tmp_path / "none.toml")
    with pytest.raises(InputError, match="folder"):
        read_spec(tmp_path)
    with pytest.raises(InputError):
        read_spec(written(tmp_path, "") / "below")
    with pytest.raises(InputError):
        read_spec(tmp_path / ("x" * 300))


def test_paths_start_at_the_file_and_at_home(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "bert").mkdir()
    text = '[model]\nname = "bert"\n[task]\ndata = "~/glue"\ntrain = "../t.csv"\ntest = "/a/b"\n'
    found = read_spec(written(tmp_path, text))
    assert found.model.name == str(tmp_path / "bert")
    assert found.task.data == str(tmp_path / "home" / "glue")
    assert found.task.train == str(tmp_path.parent / "t.csv")
    assert found.task.test == "/a/b"
    other = read_spec(written(tmp_path, f'[model]\nname = "hub/{"n" * 300}"\n'))
    assert other.model.name == "hub/" + "n" * 300, "a name that is no folder stays as it is"


def test_a_fixed_dropout_seed_and_a_list() -> None:
    listed = {
        "design": "list",
        "trials": [{"init": 4, "order": 2}, {"init": 1, "order": 1, "dropout": 8}],
    }
    assert spec(seeds={**listed, "dropout": 5}).seeds.seeds() == (Seeds(4, 2, 5), Seeds(1, 1, 8))


def test_identity_is_what_defines_a_trials_curve() -> None:
    same = spec(policy={"budget": 2}, seeds={"init": 9}, run={"processes": 7})
    assert same.identity() == Spec().identity()
    assert spec(recipe={"batch_size": 8}).identity() != Spec().identity()


@pytest.mark.parametrize(
    ("text", "size"),
    [("20 GB", 20 * 10**9), ("500MB", 5 * 10**8), ("1.5 kb", 1500), ("7", 7), (" 3 B ", 3)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1 GB", "nan GB", "inf", "1 XB", "1 G B", "0", "1e99"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_bytes(text)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["crossed", "paired", "list", "auto", "start-many", "none", "20 GB", "~"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = {name: sorted(field.annotation.model_fields) for name, field in Spec.model_fields.items()}


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a study file whose names are mostly right and whose values are anything."""
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(sorted(KEYS)), max_size=3, unique=True)):
        keys = st.sampled_from(KEYS[name]) | st.text(max_size=4)
        found[name] = draw(st.dictionaries(keys, values, max_size=3))
    if draw(st.integers(0, 9)) == 0:
        found[draw(st.text(max_size=5))] = draw(values)
    return found


def is_spec_or_input_error(make: Any) -> None:
    try:
        found = make()
    except InputError as error:
        assert error.exit_code == 2
        assert len(str(error)) < 3000
        return
    assert isinstance(found, Spec)
    assert len(found.seeds.seeds()) >= 1
    assert math.isfinite(found.recipe.learning_rate)


@settings(max_examples=250, deadline=None)
@given(sections())
def test_any_values_give_a_spec_or_an_input_error(values: dict[str, Any]) -> None:
    is_spec_or_input_error(lambda: make_spec(values, where="study", base=Path("/tmp")))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.text(alphabet='[]{}=".,#\n-_abc019', max_size=40).map(str.encode)
)
def test_any_bytes_give_a_spec_or_an_input_error(tmp_path: Path, content: bytes) -> None:
    is_spec_or_input_error(lambda: read_spec(written(tmp_path, content)))


def test_a_folder_with_a_bundled_models_name_does_not_hide_it(tmp_path: Path) -> None:
    (tmp_path / "minilm").mkdir()
    (tmp_path / "mine").mkdir()
    for name, expected in (("minilm", "minilm"), ("mine", str(tmp_path / "mine"))):
        found = make_spec({"model": {"name": name}}, where="test", base=tmp_path)
        assert found.model.name == expected
