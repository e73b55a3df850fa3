"""What ruff's rules of security (pyproject.toml) cannot see: loading of objects, text taken for HTML, shells."""

import ast
import re

import pytest

from conftest import ROOT

FOLDERS = ("src", "workflow/scripts", "tools", "tests", "benchmarks")
UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
TEMPLATES = sorted((ROOT / "src").rglob("*.html"))
ONE_SESSION = {"http_files.py", "job_server.py"}  # the session, and a socket of this machine
MAKE_MARKUP = {"report/html.py", "monitor/page.py"}  # of own templates, style sheets, and JSON without "<"


def _calls(path):
    tree = ast.parse(path.read_text("utf-8"), str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            yield ast.unparse(node.func), keywords, f"{path.relative_to(ROOT)}:{node.lineno}"


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def _sources(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_nothing_is_unpickled():
    for path in _sources(*FOLDERS):
        assert not UNPICKLING & set(_imports(path)), path
        for name, keywords, place in _calls(path):
            assert name != "torch.load" or keywords.get("weights_only") == "True", place
            assert keywords.get("allow_pickle", "False") == "False", place


def test_certificates_are_verified_and_requests_go_through_one_session():
    for path in _sources("src"):
        uses_network = {"requests", "urllib3", "socket", "http", "ssl"} & set(_imports(path))
        assert not uses_network or path.name in ONE_SESSION, path
        for _, keywords, place in _calls(path):
            assert "verify" not in keywords, place
            assert "cert_reqs" not in keywords, place


def test_a_shell_gets_quoted_paths_and_checked_names_alone():
    """Snakemake quotes {...:q}; the name of a subject is p and digits (`wildcard_constraints`)."""
    n_commands = 0
    for path in (ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk"), ROOT / "workflow/Snakefile"):
        text = path.read_text("utf-8")
        assert not re.search(r"\bshell\(", text), path
        for command in re.findall(r'^\s*shell:(?:\s*#.*)*\s*"(.*)"$', text, re.MULTILINE):
            n_commands += 1
            assert {name for name in re.findall(r"{(.*?)}", command) if not name.endswith(":q")} <= {
                "wildcards.subject"
            }
        assert text.count("shell:") == len(re.findall(r'^\s*shell:(?:\s*#.*)*\s*".*"$', text, re.MULTILINE)), path
    assert n_commands > 0
    assert r'subject=r"p\d{6,10}"' in (ROOT / "Snakefile").read_text("utf-8")


def test_text_is_made_markup_in_two_modules_alone():
    folder = ROOT / "src/kalemia"
    found = {path.relative_to(folder).as_posix() for path in _sources("src") if "Markup(" in path.read_text("utf-8")}
    assert found == MAKE_MARKUP


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_takes_only_its_own_words_for_markup(template):
    text = template.read_text("utf-8")
    assert "autoescape" not in text
    for before in re.findall(r"(\S+)\s*\|\s*safe\b", text):
        assert before.endswith("'"), before  # the end of a quoted text in the template itself
