"""Workflows, forms, citation and version agree with each other and with the package."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from depthub.version import __version__

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
INSTALL = "python -m pip install tox"
TOX = re.compile(r"python -m tox run -e (\w+)( --installpkg dist/\*\.whl)?")
COMPARE_TAG = 'test -f "dist/depthub-${GITHUB_REF_NAME#v}.tar.gz"'
ACTION = re.compile(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)")


def load(path: Path) -> dict[str, Any]:
    """The content of a YAML file."""
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def jobs(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """The jobs of a workflow, once for each entry of the matrix, beside that entry."""
    for job in load(path)["jobs"].values():
        for entry in job.get("strategy", {}).get("matrix", {}).get("include", [{}]):
            yield job, entry


def commands(path: Path) -> list[str]:
    """All commands of a workflow, with the values of the matrix."""
    return [
        re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda key, entry=entry: entry[key[1]], step["run"])  # type: ignore[misc]
        for job, entry in jobs(path)
        for step in job["steps"]
        if "run" in step
    ]


def tox() -> ConfigParser:
    """The configuration of tox."""
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    return parser


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_the_tox_environments_of_contributors(path: Path) -> None:
    environments = {match[1] for line in commands(path) if (match := TOX.fullmatch(line))}
    assert environments
    assert {f"testenv:{name}" for name in environments - {"py"}} <= set(tox().sections())
    assert {line for line in commands(path) if not TOX.fullmatch(line)} <= {INSTALL, COMPARE_TAG}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_do_little(path: Path) -> None:
    assert load(path)["permissions"] in ({}, {"contents": "read"})
    assert "concurrency" in load(path)
    for job, _ in jobs(path):
        assert job["timeout-minutes"] <= 90
        assert job.get("permissions", {}) in ({}, {"contents": "read"}, {"id-token": "write"})
        assert [step["uses"] for step in job["steps"] if "uses" in step and not ACTION.fullmatch(step["uses"])] == []


def test_only_the_job_that_publishes_may_have_a_token_and_it_runs_no_command() -> None:
    publishing = [job for path in WORKFLOWS for job, _ in jobs(path) if "id-token" in job.get("permissions", {})]
    assert [job["environment"] for job in publishing] == ["pypi"]
    assert all("run" not in step for step in publishing[0]["steps"])


def test_every_supported_python_is_tested_and_no_other_is_named() -> None:
    supported = [name.rpartition(" ")[2] for name in PROJECT["project"]["classifiers"] if re.search(r"Python :: 3\.\d+$", name)]
    entries = [entry for _, entry in jobs(ROOT / ".github/workflows/ci.yml")]
    assert [entry["python"] for entry in entries if entry["environment"] == "py"] == supported
    assert {entry["python"] for entry in entries} == set(supported)
    lowest = supported[0]
    assert PROJECT["project"]["requires-python"] == f">={lowest}"
    assert PROJECT["tool"]["mypy"]["python_version"] == lowest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{lowest.replace('.', '')}"
    assert tox()["testenv:lowest"]["base_python"] == f"python{lowest}"


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_forms_have_what_the_platform_needs(path: Path) -> None:
    form = load(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_a_result_that_is_not_reproduced_comes_with_its_run_file() -> None:
    (field,) = (field for field in load(ROOT / ".github/ISSUE_TEMPLATE/reproduction.yml")["body"] if field.get("id") == "yours")
    assert "run.json" in field["attributes"]["description"]
    assert field["validations"] == {"required": True}


def test_the_configuration_of_the_platform_is_complete() -> None:
    assert load(ROOT / ".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": False}
    updates = load(ROOT / ".github/dependabot.yml")["updates"]
    assert [update["package-ecosystem"] for update in updates] == ["pip", "github-actions"]
    assert all(update["groups"] for update in updates)


def test_the_citation_is_of_this_package() -> None:
    citation = load(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys(), "required by the format"
    assert citation["cff-version"] == "1.2.0"
    assert [citation[key] for key in ("title", "abstract", "license")] == [
        PROJECT["project"][key] for key in ("name", "description", "license")
    ]
    assert citation["authors"] == PROJECT["project"]["authors"]
    assert [reference["doi"] for reference in citation["references"]] == ["10.48550/arXiv.2309.07439"]


def test_the_version_stands_in_one_place() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "depthub/version.py"
    assert version("depthub") == __version__, "install again: the version has changed since"
    assert "version" not in load(ROOT / "CITATION.cff")


def test_the_changelog_begins_with_the_version() -> None:
    section = re.search(r"^## (\S+) \((unreleased|\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert section
    assert section[1] == __version__
