"""The report of a study whose generic network another study trained."""

import dataclasses

import pytest

from kalemia.core.tables import empty_table, write_json, write_table
from kalemia.evaluation.build_evaluation import find_evaluation_inputs, write_evaluation
from kalemia.report.study_page import write_page
from kalemia.report.write_outputs import write_study_figures
from report_fixture import PERSONAL, write_results

pytestmark = pytest.mark.slow
DIGEST = "0123456789abcdef"


@pytest.fixture(scope="module")
def imported(tmp_path_factory, study):
    """The results of such a study, with its page."""
    results = tmp_path_factory.mktemp("imported")
    study = dataclasses.replace(study, generic=dataclasses.replace(study.generic, model="somewhere"))
    write_results(results, study, PERSONAL[:2])
    for kind in ("history", "predictions", "comparators"):
        write_table(results / f"generic/{kind}.parquet", kind, empty_table(kind))
    write_json(results / "generic/metrics.json", {"imported": DIGEST, "simulated": True, "n_parameters": 1234})
    write_evaluation(study, find_evaluation_inputs(results, study), results / "evaluation")
    write_study_figures(study, results)
    write_page(results / "report.html", study, results)
    return results


def test_the_page_says_where_the_generic_network_is_from(imported):
    page = " ".join((imported / "report.html").read_text().split())
    assert f"imported from a model folder (digest {DIGEST})" in page
    assert "Its patients were <strong>simulated</strong>." in page
    assert "Predictions by split and unit" not in page
    assert (
        "The generic network is imported, so this study did not train it."
        in (imported / "figures/generic.svg").read_text()
    )


def test_the_card_leaves_data_and_metrics_to_the_model_folder(imported):
    card = (imported / "generic/model-card.md").read_text()
    assert card.count("Another study trained this network; the README.md of its model folder has them.") == 2
    assert f"Imported from a model folder, digest {DIGEST}." in card
    assert "Trained for at most" not in card
