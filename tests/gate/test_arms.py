"""Tests the arms: their commit, files and packages, and that the user's repository is not changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from jarvisperf.gate.arms.checkout import Checkouts
from jarvisperf.gate.arms.git import GitError
from jarvisperf.gate.arms.git import git as ask_git
from jarvisperf.gate.arms.prepare import Arms, InstallError, shared_files
from jarvisperf.gate.arms.revision import Repository, resolve
from jarvisperf.gate.project.packages import find_layout, shared_test_folder


def git(folder: Path, *words: str) -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=environ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    write(root, "pkg/__init__.py", "VALUE = 'first'")
    write(root, ".gitignore", "*.log\n")
    commit(root, "first")
    return root


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def commit(root: Path, message: str) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)
    return git(root, "rev-parse", "HEAD")


def state(root: Path) -> tuple[str, ...]:
    index = root / git(root, "rev-parse", "--git-path", "index")
    return (
        git(root, "--no-optional-locks", "status", "--porcelain"),
        git(root, "rev-parse", "HEAD"),
        git(root, "worktree", "list"),
        git(root, "stash", "list"),
        index.read_bytes().hex(),
    )


def test_the_base_is_where_the_branches_part(repository: Path):
    fork = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-qb", "feature")
    write(repository, "feature.py", "")
    head = commit(repository, "feature")
    git(repository, "checkout", "-q", "main")
    write(repository, "later.py", "")
    tip = commit(repository, "later")
    git(repository, "checkout", "-q", "feature")
    assert resolve(repository, "main", exact=False) == Repository(repository, fork, head)
    assert resolve(repository / "pkg", "main", exact=True).base == tip


def test_a_folder_without_a_repository_is_named(tmp_path: Path):
    with pytest.raises(GitError, match="is not in a git repository"):
        resolve(tmp_path, "main", exact=False)


def test_a_repository_that_git_refuses_to_open_is_shown_with_gits_own_advice(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with pytest.raises(GitError, match=r"dubious ownership.*git config --global --add safe\.directory"):
        resolve(repository, "main", exact=False)


def test_what_the_environment_configures_counts_and_where_it_points_does_not(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in (("COUNT", "1"), ("KEY_0", "some.key"), ("VALUE_0", "some value")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert ask_git(repository, "config", "some.key") == "some value\n"


def test_a_repository_without_a_commit_is_named(tmp_path: Path):
    git(tmp_path, "init", "-q")
    with pytest.raises(GitError, match="has no commit yet"):
        resolve(tmp_path, "main", exact=False)


def test_a_git_that_cannot_be_started_says_so_and_nothing_about_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "git").write_text("not a program")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match=r"git rev-parse could not be run: .*Exec format error"):
        resolve(tmp_path, "HEAD", exact=False)


@pytest.mark.parametrize(
    ("revision", "advice"),
    [
        ("nothing", "git branch --all"),
        ("origin/main", "git fetch origin main"),
        ("--all", "git"),
        ("--upload-pack=x/main", "git branch --all"),
        ("0" * 40, "git branch --all"),
    ],
)
def test_an_unknown_revision_is_named_with_what_to_do(repository: Path, revision: str, advice: str):
    with pytest.raises(GitError, match=f"unknown revision '{revision}'.*{advice}"):
        resolve(repository, revision, exact=False)


@pytest.mark.parametrize("revision", [":/first", "HEAD^{/first}", "v1", "main@{0}"])
def test_whatever_git_takes_for_a_commit_is_one(repository: Path, revision: str):
    git(repository, "commit", "-q", "--allow-empty", "-m", "the first of two")
    git(repository, "tag", "-a", "v1", "-m", "a tag with a message")
    assert resolve(repository, revision, exact=True).base == git(repository, "rev-parse", "HEAD").strip()


def test_a_shallow_clone_is_told_to_fetch_the_history(repository: Path, tmp_path: Path):
    git(repository, "checkout", "-qb", "feature")
    write(repository, "feature.py", "")
    commit(repository, "feature")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", f"file://{repository}", str(shallow))
    with pytest.raises(GitError, match="git fetch --unshallow"):
        resolve(shallow, "origin/main", exact=False)


def test_unrelated_histories_have_no_base(repository: Path):
    git(repository, "checkout", "-q", "--orphan", "other")
    commit(repository, "other")
    with pytest.raises(GitError, match=r"no common ancestor.*--jarvis-against-exact"):
        resolve(repository, "main", exact=False)


def test_the_arms_hold_the_commit_and_the_working_tree_as_it_is(repository: Path):
    write(repository, "pkg/__init__.py", "VALUE = 'changed'")
    write(repository, "pkg/new.py", "")
    write(repository, "ignored.log", "")
    write(repository, "gone.py", "")
    git(repository, "add", "gone.py")
    (repository / "gone.py").unlink()
    (repository / "link").symlink_to("pkg")
    before = state(repository)
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        base, head, same = (arms.places[name].cwd for name in ("base", "head", "same"))
        assert len({len(str(arm)) for arm in (base, head, same)}) == 1
        assert (base / "pkg/__init__.py").read_text() == (same / "pkg/__init__.py").read_text() == "VALUE = 'first'"
        assert (head / "pkg/__init__.py").read_text() == "VALUE = 'changed'"
        assert (head / "pkg/new.py").exists()
        assert not (base / "pkg/new.py").exists()
        assert not (head / "ignored.log").exists()
        assert not (head / "gone.py").exists()
        assert (head / "link").is_symlink()
        assert state(repository) == before
    finally:
        arms.close()
    assert not arms.folder.exists()


def test_names_with_odd_characters_are_copied(repository: Path):
    write(repository, "pkg/maçã com espaço\n.txt", "x")
    commit(repository, "odd")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        for place in arms.places.values():
            assert (place.cwd / "pkg/maçã com espaço\n.txt").read_text() == "x"
    finally:
        arms.close()


def test_a_project_in_a_folder_of_the_repository_has_its_arm_there(repository: Path):
    write(repository, "libs/one/src/inner/__init__.py", "")
    commit(repository, "inner")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository / "libs" / "one")
    try:
        assert arms.places["base"].cwd == arms.folder / "base" / "libs" / "one"
        assert "inner" in arms.layout.packages
        assert str(arms.folder / "head/libs/one/src") in arms.places["head"].paths
    finally:
        arms.close()


def test_environments_are_equal_but_for_the_arms_own_path(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(repository / "pkg"), "/elsewhere"]))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    monkeypatch.setenv("GIT_INDEX_FILE", "/elsewhere")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        base, head = arms.places["base"], arms.places["head"]
        swapped = {name: value.replace("/base", "/head") for name, value in base.env.items()}
        assert swapped == head.env
        assert "/elsewhere" in head.env["PYTHONPATH"].split(os.pathsep)
        assert str(repository) not in head.env["PYTHONPATH"]
        assert not {"PYTEST_ADDOPTS", "GIT_INDEX_FILE"} & head.env.keys()
        assert head.env["GIT_CONFIG_GLOBAL"] == os.devnull
    finally:
        arms.close()


def test_heads_benchmarks_conftests_and_helpers_serve_on_both_arms(repository: Path):
    write(repository, "benchmarks/helpers.py", "old")
    write(repository, "benchmarks/test_x.py", "old")
    commit(repository, "benchmarks")
    write(repository, "benchmarks/helpers.py", "new")
    write(repository, "benchmarks/deep/test_x.py", "new")
    write(repository, "conftest.py", "new")
    write(repository, "pkg/__init__.py", "VALUE = 'changed'")
    write(repository, "data/input.txt", "new")
    files = [repository / "benchmarks/deep/test_x.py"]
    shared = shared_files(repository, files, repository / "pyproject.toml", ["data/"])
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        arms.share(shared)
        base = arms.places["base"].cwd
        for name in ("benchmarks/helpers.py", "benchmarks/deep/test_x.py", "conftest.py", "data/input.txt"):
            assert (base / name).read_text() == "new"
        assert (base / "pkg/__init__.py").read_text() == "VALUE = 'first'"
    finally:
        arms.close()


def test_what_head_has_removed_beside_its_benchmarks_is_gone_from_the_base_too(repository: Path):
    kept = ("conftest.py", "pkg/conftest.py", "other/conftest.py", "docs/page.txt")
    gone = ("lib/conftest.py", "lib/tests/__init__.py", "lib/tests/conftest.py", "lib/tests/old/data.txt", "data/x.txt")
    for name in (*kept, *gone, "lib/tests/test_x.py"):
        write(repository, name, "old")
    commit(repository, "benchmarks")
    for name in gone:
        (repository / name).unlink()
    shared = shared_files(repository, [repository / "lib/tests/test_x.py"], None, ["data"])
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        arms.share(shared)
        for arm in ("base", "same"):
            root = arms.places[arm].cwd
            assert all((root / name).exists() for name in kept)
            assert not any((root / name).exists() for name in gone)
            assert [entry.name for entry in (root / "lib/tests").iterdir()] == ["test_x.py"]
    finally:
        arms.close()


@pytest.mark.parametrize("target", ["inside", "outside"])
def test_a_benchmark_file_that_is_a_link_is_shared_with_what_it_leads_to_or_refused(
    repository: Path, tmp_path: Path, target: str
):
    write(repository, "lib/bench.py", "")
    write(tmp_path, "outside.py", "")
    (repository / "bench_link.py").symlink_to("lib/bench.py" if target == "inside" else tmp_path / "outside.py")
    if target == "inside":
        shared = shared_files(repository, [repository / "bench_link.py"], None, ())
        assert set(shared.files) == {"bench_link.py", "lib/bench.py"}
    else:
        with pytest.raises(GitError, match=r"bench_link.py \(a link to .*outside.py\) lies outside the git"):
            shared_files(repository, [repository / "bench_link.py"], None, ())


def test_a_project_reached_through_a_link_is_the_same_project(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write(repository, "lib/odd/__init__.py", "")
    write(repository, "tests/test_x.py", "")
    commit(repository, "more")
    link = tmp_path / "link"
    link.symlink_to(repository)
    monkeypatch.setenv("PYTHONPATH", str(link / "lib"))
    monkeypatch.syspath_prepend(link / "lib")
    arms = Arms(resolve(link, "HEAD", exact=False), link)
    try:
        place = arms.places["base"]
        assert place.cwd == arms.folder / "base"
        assert str(place.cwd / "lib") in place.env["PYTHONPATH"].split(os.pathsep)
        assert "odd" in arms.layout.packages
        arms.share(shared_files(repository, [link / "tests/test_x.py"], link / "pytest.ini", ()))
    finally:
        arms.close()


def test_a_project_outside_of_the_repository_is_refused(repository: Path, tmp_path: Path):
    with pytest.raises(GitError, match="lies outside the git repository"):
        Arms(resolve(repository, "HEAD", exact=False), tmp_path)


def outside(tmp_path: Path) -> Path:
    write(tmp_path, "outside/a.bin", "precious")
    return tmp_path / "outside"


def test_what_lies_behind_a_link_of_the_working_tree_is_not_touched(repository: Path, tmp_path: Path):
    elsewhere = outside(tmp_path)
    write(repository, "data/a.bin", "precious")
    commit(repository, "data")
    (repository / "data/a.bin").unlink()
    (repository / "data").rmdir()
    (repository / "data").symlink_to(elsewhere)
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        assert (arms.places["head"].cwd / "data").is_symlink()
        assert (arms.places["base"].cwd / "data/a.bin").read_text() == "precious"
    finally:
        arms.close()
    assert (elsewhere / "a.bin").read_text() == "precious"


def test_what_lies_behind_a_link_of_the_base_is_not_touched(repository: Path, tmp_path: Path):
    elsewhere = outside(tmp_path)
    write(repository, "tests/test_x.py", "")
    write(repository, ".gitignore", "_made.py\n")
    (repository / "tests/data").symlink_to(elsewhere)
    (repository / "pkg/sub").symlink_to(elsewhere)
    commit(repository, "links")
    for link, name in (("tests/data", "a.bin"), ("pkg/sub", "_made.py")):
        (repository / link).unlink()
        write(repository, f"{link}/{name}", "head's")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        arms.share(shared_files(repository, [repository / "tests/test_x.py"], None, ()))
        base = arms.places["base"].cwd
        assert not (base / "tests/data").is_symlink()
        assert (base / "tests/data/a.bin").read_text() == "head's"
        assert (base / "pkg/sub").is_symlink()
    finally:
        arms.close()
    assert [entry.name for entry in elsewhere.iterdir()] == ["a.bin"]
    assert (elsewhere / "a.bin").read_text() == "precious"


def test_a_folder_that_became_a_file_or_a_file_a_folder_is_as_it_is_now(repository: Path):
    write(repository, "tests/a/x.txt", "old")
    write(repository, "tests/b", "old")
    write(repository, "tests/test_x.py", "")
    commit(repository, "old")
    for name in ("tests/a/x.txt", "tests/b"):
        (repository / name).unlink()
    (repository / "tests/a").rmdir()
    write(repository, "tests/a", "new")
    write(repository, "tests/b/x.txt", "new")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        arms.share(shared_files(repository, [repository / "tests/test_x.py"], None, ()))
        for place in arms.places.values():
            assert (place.cwd / "tests/a").read_text() == (place.cwd / "tests/b/x.txt").read_text() == "new"
    finally:
        arms.close()


def with_submodule(repository: Path, tmp_path: Path) -> Path:
    """Add a submodule with a nested submodule to the repository; in head it is one commit ahead of base."""
    for name in ("inner", "vendored"):
        write(tmp_path / name, f"{name}.py", "first")
        git(tmp_path / name, "init", "-q", "-b", "main")
        commit(tmp_path / name, "first")
    allowed = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(tmp_path / "vendored", *allowed, str(tmp_path / "inner"), "inner")
    write(tmp_path / "vendored", ".gitignore", "*.log")
    commit(tmp_path / "vendored", "inner")
    git(repository, *allowed, str(tmp_path / "vendored"), "libs/vendored")
    submodule = repository / "libs/vendored"
    git(submodule, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    commit(repository, "submodule")
    write(submodule, "vendored.py", "second")
    write(submodule, "new.py", "second")
    write(submodule, "some.log", "ignored")
    commit(submodule, "second")
    return submodule


def test_submodules_are_in_the_base_at_its_commit_and_in_head_as_they_are(repository: Path, tmp_path: Path):
    submodule = with_submodule(repository, tmp_path)
    before = state(submodule)
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        files = {
            name: {
                path.relative_to(place.cwd / "libs/vendored").as_posix(): path.read_text()
                for path in (place.cwd / "libs/vendored").rglob("*.py")
            }
            for name, place in arms.places.items()
        }
        assert files["base"] == files["same"] == {"vendored.py": "first", "inner/inner.py": "first"}
        assert files["head"] == {"vendored.py": "second", "new.py": "second", "inner/inner.py": "first"}
        assert not (arms.places["head"].cwd / "libs/vendored/some.log").exists()
        assert state(submodule) == before
    finally:
        arms.close()


def test_a_submodule_that_head_has_removed_is_still_in_the_base(repository: Path, tmp_path: Path):
    with_submodule(repository, tmp_path)
    git(repository, "rm", "-qf", "libs/vendored")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        assert (arms.places["base"].cwd / "libs/vendored/vendored.py").read_text() == "first"
        assert (arms.places["base"].cwd / "libs/vendored/inner/inner.py").read_text() == "first"
        assert not (arms.places["head"].cwd / "libs").exists()
    finally:
        arms.close()


def test_a_submodule_that_was_never_checked_out_is_empty_in_all_arms(repository: Path, tmp_path: Path):
    with_submodule(repository, tmp_path)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    arms = Arms(resolve(clone, "HEAD", exact=False), clone)
    try:
        for place in arms.places.values():
            assert list((place.cwd / "libs/vendored").iterdir()) == []
    finally:
        arms.close()


def test_a_submodule_whose_commit_is_not_at_hand_is_named(repository: Path, tmp_path: Path):
    submodule = with_submodule(repository, tmp_path)
    commit_id = git(repository, "rev-parse", "HEAD:libs/vendored")
    shutil.rmtree(submodule)
    shutil.rmtree(repository / ".git/modules/libs")
    with pytest.raises(
        GitError, match=f"submodule 'libs/vendored' at {commit_id[:12]}, which is not available; .*update"
    ):
        Arms(resolve(repository, "HEAD", exact=False), repository)


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("test_a.py", None),
        ("pkg/bench_a.py", None),
        ("benchmarks/a/test_a.py", "benchmarks"),
        ("pkg/tests/t.py", "pkg/tests"),
    ],
)
def test_a_test_folder_is_the_outermost_one(file: str, folder: str | None):
    assert shared_test_folder(file) == folder


def test_packages_are_found_in_flat_and_src_layout_and_where_python_finds_them(tmp_path: Path):
    for name in (
        "flat/__init__.py",
        "src/inner/__init__.py",
        "src/space/deep/mod.py",
        "lib/odd/__init__.py",
        "single.py",
    ):
        write(tmp_path, name, "")
    for name in (
        "tests/__init__.py",
        "docs/x/__init__.py",
        "setup.py",
        "conftest.py",
        "test_a.py",
        "no-package/a.py",
        "acme/core/__init__.py",
    ):
        write(tmp_path, name, "")
    layout = find_layout(tmp_path, tmp_path, [str(tmp_path / "lib"), "/usr/lib", ""])
    assert set(layout.packages) == {"flat", "inner", "space.deep.mod", "odd", "single", "acme.core"}
    assert layout.folders == ("src", ".", "lib")


def test_an_installation_is_made_in_each_arm(repository: Path):
    command = "python -c \"import sys; open('installed', 'w').write(sys.prefix)\" && pip --version > pip"
    arms = Arms(resolve(repository, "HEAD", exact=False), repository, command)
    try:
        prefixes = {name: (place.cwd / "installed").read_text() for name, place in arms.places.items()}
        assert len(set(prefixes.values())) == 3
        assert all(prefixes[name] in (place.cwd / "pip").read_text() for name, place in arms.places.items())
        assert all(str(arms.folder) in prefix for prefix in prefixes.values())
        assert len({len(prefix) for prefix in prefixes.values()}) == 1
    finally:
        arms.close()


def test_an_installation_that_fails_shows_its_reason_and_its_last_words(repository: Path):
    command = "echo ValueError: no compiler; echo hint: see above; exit 3"
    with pytest.raises(InstallError, match=r"failed in .* \(3\): ValueError: no compiler\nits last .*\n.*\nhint: see"):
        Arms(resolve(repository, "HEAD", exact=False), repository, command)


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path):
    code = (
        "import sys, time, pathlib\n"
        "from jarvisperf.gate.arms.checkout import Checkouts\n"
        "made = Checkouts(pathlib.Path(sys.argv[1]))\n"
        "print(made.folder, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    left = Path(process.stdout.readline().strip())
    with Checkouts(tmp_path) as beside:
        assert left.exists()  # its process is alive
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.05)
        with Checkouts(tmp_path):
            assert not left.exists()
            assert beside.folder.exists()
    process.stdout.close()


def large(root: Path, name: str, letter: str) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(letter.encode() * 300_000)
    return root / name


def own_bytes(folder: Path) -> int:
    """Return the bytes that a folder's files take, counting each file once however many links it has."""
    return sum({path.stat().st_ino: path.stat().st_blocks * 512 for path in folder.rglob("*.bin")}.values())


def test_large_files_that_are_alike_exist_once_and_never_with_the_working_tree(repository: Path):
    for name in ("data/a.bin", "data/b.bin", "changed.bin"):
        large(repository, name, "x")
    commit(repository, "data")
    large(repository, "changed.bin", "y")
    large(repository, "new.bin", "z")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        roots = {name: place.cwd for name, place in arms.places.items()}
        assert own_bytes(arms.folder) < 7 * 310_000  # a, b and new are stored once, changed in three arms
        for name in ("data/a.bin", "data/b.bin", "changed.bin"):
            assert (repository / name).stat().st_nlink == 1
            assert all((root / name).read_bytes()[:1] == b"x" for root in roots.values() if name != "changed.bin")
        assert [(root / "changed.bin").read_bytes()[:1] for root in roots.values()] == [b"y", b"x", b"x"]
        assert (roots["head"] / "new.bin").exists()
        assert not (roots["base"] / "new.bin").exists()
        assert (roots["head"] / "data/a.bin").stat().st_mtime_ns == (repository / "data/a.bin").stat().st_mtime_ns
    finally:
        arms.close()


def test_a_shared_file_that_was_written_to_is_given_back_to_each_arm_as_it_was(repository: Path):
    for name in ("a.bin", "b.bin", "c.bin"):
        large(repository, name, "x")
    commit(repository, "data")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        roots = [place.cwd for place in arms.places.values()]
        assert arms.separate_written() == []
        with (roots[1] / "a.bin").open("r+b") as file:
            file.write(b"written")
        os.utime(roots[1] / "a.bin", ns=(0, 1))  # the file system's clock may be coarse
        (roots[1] / "b.bin").unlink()
        large(roots[2], "other.bin", "y").replace(roots[2] / "c.bin")
        shares_links = (roots[0] / "a.bin").stat().st_nlink > 1
        assert arms.separate_written() == (["a.bin"] if shares_links else [])
        if shares_links:
            assert {(root / "a.bin").read_bytes()[:7] for root in roots} == {b"xxxxxxx"}
            assert len({(root / "a.bin").stat().st_ino for root in roots}) == 3
        assert (roots[0] / "c.bin").read_bytes()[:1] == b"x"
        assert (repository / "a.bin").read_bytes()[:1] == b"x"
        assert arms.separate_written() == []
    finally:
        arms.close()


def test_what_an_arm_writes_in_place_into_a_small_file_reaches_neither_the_working_tree_nor_for_long_the_others(
    repository: Path,
):
    write(repository, "data/small.txt", "as it was")
    write(repository, "data/other.txt", "as it was")
    commit(repository, "data")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        was_shared = (arms.places["head"].cwd / "data/small.txt").stat().st_nlink > 1
        for name, place in arms.places.items():
            small = place.cwd / "data/small.txt"
            assert small.stat().st_ino != (repository / "data/small.txt").stat().st_ino
            shares_links = small.stat().st_nlink > 1
            small.write_text(f"written by {name}")
            os.utime(small, ns=(0, 1))  # the file system's clock may be coarse
            assert (repository / "data/small.txt").read_text() == "as it was"
            assert arms.separate_written() == (["data/small.txt"] if shares_links else [])
        texts = [(place.cwd / "data/small.txt").read_text() for place in arms.places.values()]
        # The first write was undone in all arms; from then on each has a separate copy.
        assert texts == ["as it was" if was_shared else "written by head", "written by base", "written by same"]
        assert {(place.cwd / "data/other.txt").read_text() for place in arms.places.values()} == {"as it was"}
    finally:
        arms.close()


def test_files_that_head_and_base_have_alike_stay_shared_when_heads_tests_serve_on_both(repository: Path):
    write(repository, "tests/test_x.py", "x")
    write(repository, "tests/data.txt", "x")
    commit(repository, "tests")
    write(repository, "tests/test_x.py", "changed in head")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        before = {name: (place.cwd / "tests/data.txt").stat().st_ino for name, place in arms.places.items()}
        arms.share(shared_files(repository, [repository / "tests/test_x.py"], None, ()))
        after = {name: (place.cwd / "tests/data.txt").stat().st_ino for name, place in arms.places.items()}
        if shares_links := len(set(before.values())) == 1:
            assert after == before
        assert shares_links or len(set(before.values())) == 3
        assert {(place.cwd / "tests/test_x.py").read_text() for place in arms.places.values()} == {"changed in head"}
    finally:
        arms.close()


def test_what_git_was_told_not_to_look_at_is_not_taken_for_unchanged(repository: Path):
    git(repository, "update-index", "--assume-unchanged", "pkg/__init__.py")
    write(repository, "pkg/__init__.py", "VALUE = 'changed behind the back of git'")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        assert (arms.places["base"].cwd / "pkg/__init__.py").read_text() == "VALUE = 'first'"
        assert "behind" in (arms.places["head"].cwd / "pkg/__init__.py").read_text()
    finally:
        arms.close()


def test_what_an_installation_writes_in_place_stays_in_its_own_arm(repository: Path):
    write(repository, "generated.c", "of the commit")
    commit(repository, "generated")
    writes = "import os, pathlib; p = pathlib.Path('generated.c'); p.write_text('of ' + pathlib.Path.cwd().name); "
    arms = Arms(resolve(repository, "HEAD", exact=False), repository, f'python -c "{writes}os.utime(p, ns=(0, 1))"')
    try:
        texts = {name: (place.cwd / "generated.c").read_text() for name, place in arms.places.items()}
        assert texts == {name: f"of {name}" for name in ("base", "head", "same")}
        assert (repository / "generated.c").read_text() == "of the commit"
    finally:
        arms.close()


@pytest.mark.skipif(shutil.which("lsattr") is None, reason="needs lsattr")
def test_folders_of_arms_lie_far_apart_where_the_file_system_can_do_so(tmp_path: Path):
    with Checkouts(tmp_path) as made:
        home = made.folder.parent
        kind = subprocess.run(["stat", "-f", "-c", "%T", home], capture_output=True, text=True, check=True).stdout
        flags = subprocess.run(["lsattr", "-d", home], capture_output=True, text=True, check=False).stdout
        assert made.folder.is_dir()
        assert "T" in flags.split()[0] or not kind.startswith("ext")


def test_what_lies_outside_of_a_sparse_checkout_is_in_no_arm(repository: Path):
    for name in ("near/x.txt", "far/y.txt", "far/gone.txt"):
        write(repository, name, "")
    large(repository, "near/a.bin", "x")
    large(repository, "far/b.bin", "x")
    commit(repository, "folders")
    git(repository, "rm", "-q", "far/gone.txt")
    commit(repository, "less")
    git(repository, "sparse-checkout", "set", "near", "pkg")
    before = state(repository)
    arms = Arms(resolve(repository, "HEAD~1", exact=True), repository)
    try:
        for place in arms.places.values():
            assert (place.cwd / "near/x.txt").exists()
            assert (place.cwd / "near/a.bin").stat().st_size == 300_000
            assert not (place.cwd / "far").exists()
        assert state(repository) == before
    finally:
        arms.close()


def test_a_linked_worktree_has_arms_of_its_own_files(repository: Path, tmp_path: Path):
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    write(tmp_path / "linked", "pkg/__init__.py", "VALUE = 'linked'")
    arms = Arms(resolve(tmp_path / "linked", "main", exact=False), tmp_path / "linked")
    try:
        assert (arms.places["head"].cwd / "pkg/__init__.py").read_text() == "VALUE = 'linked'"
        assert (arms.places["base"].cwd / "pkg/__init__.py").read_text() == "VALUE = 'first'"
    finally:
        arms.close()


def test_pointers_of_lfs_without_their_contents_are_told(repository: Path):
    write(repository, ".gitattributes", "*.dat filter=lfs -text\n")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    write(repository, "data/one.dat", pointer)
    write(repository, "data/two.dat", pointer)
    commit(repository, "pointers")
    write(repository, "data/one.dat", "the content")
    arms = Arms(resolve(repository, "HEAD", exact=False), repository)
    try:
        in_head, in_base = arms.notes
        assert in_head.startswith("head has a Git LFS pointer instead of the content of data/two.dat; get the contents")
        assert in_base.startswith("base has a Git LFS pointer instead of the content of data/one.dat and 1 more; ")
    finally:
        arms.close()


def test_compiled_modules_that_the_arms_run_without_are_told(repository: Path):
    write(repository, ".gitignore", "*.so\n")
    commit(repository, "ignores")
    for name in ("pkg/_core.so", "pkg/deep/_more.so", "elsewhere/_other.so"):
        write(repository, name, "")
    for named, notes in (((), 1), (("pkg",), 0)):
        shared = shared_files(repository, [repository / "pkg/__init__.py"], None, named)
        arms = Arms(resolve(repository, "HEAD", exact=False), repository)
        try:
            arms.share(shared)
            assert len(arms.notes) == notes
            assert all(
                "pkg/_core.so and 1 more, so both arms run without it; --jarvis-arm" in note for note in arms.notes
            )
        finally:
            arms.close()


@pytest.mark.parametrize("how", ["a clone", "a linked worktree", "a shallow clone", "a clone with SHA-256"])
def test_each_arm_is_a_repository_of_its_own_at_its_commit(repository: Path, tmp_path: Path, how: str):
    if how == "a clone with SHA-256":
        shutil.rmtree(repository / ".git")
        git(repository, "init", "-q", "-b", "main", "--object-format=sha256")
        commit(repository, "first")
    git(repository, "tag", "-am", "a release", "v1.0")
    base = commit_of(repository, "pkg/__init__.py", "VALUE = 'second'")
    head = commit_of(repository, "pkg/__init__.py", "VALUE = 'third'")
    root = tmp_path / "other"
    if how == "a linked worktree":
        git(repository, "worktree", "add", "-q", "--detach", str(root))
    elif how == "a shallow clone":
        git(tmp_path, "clone", "-q", "--depth=2", repository.as_uri(), str(root))
    else:
        root = repository
    before = state(root)
    with closing(Arms(resolve(root, "HEAD~1", exact=True), root)) as arms:
        folders = {name: arms.places[name].cwd for name in ("base", "head", "same")}
        for name, folder in folders.items():
            assert git(folder, "rev-parse", "--show-toplevel") == str(folder.resolve())
            assert git(folder, "rev-parse", "HEAD") == (head if name == "head" else base)
            assert git(folder, "status", "--porcelain") == ""
            assert len(git(folder, "log", "--format=%h").splitlines()) == {"base": 2, "same": 2, "head": 3}[name] - (
                how == "a shallow clone"
            )
        if how != "a shallow clone":
            assert git(folders["head"], "describe") == f"v1.0-2-g{git(root, 'rev-parse', '--short', 'HEAD')}"
        git(folders["head"], "commit", "-qm", "in the arm", "--allow-empty")
        git(folders["head"], "gc", "-q")
    assert state(root) == before
    git(root, "fsck")


def commit_of(root: Path, name: str, text: str) -> str:
    write(root, name, text)
    return commit(root, name)
