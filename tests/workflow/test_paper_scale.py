"""The study of the paper's size, as planned: which people it simulates and what of them the generic network gets."""

import pytest
import yaml

from conftest import ROOT
from kalemia.cohort.generic_set import choose_generic_draws
from kalemia.core.config import Study
from kalemia.core.config_validation import check_config
from kalemia.simulate.patients import cohort


@pytest.fixture(scope="module")
def paper_scale(default_config):
    overlay = yaml.safe_load((ROOT / "studies/paper-scale.yaml").read_text())
    return {
        key: {**value, **overlay.get(key, {})} if isinstance(value, dict) else overlay.get(key, value)
        for key, value in default_config.items()
    }


def test_it_has_the_paper_s_network_and_schedule(paper_scale):
    check_config(paper_scale)
    study = Study.from_config(paper_scale)
    assert (study.network.depth, study.network.width) == (50, 64)
    generic = study.generic
    assert (generic.epochs, generic.batch_size, generic.learning_rate) == (50, 1024, 5e-5)
    assert (generic.lr_patience, generic.lr_decay_factor, generic.sampler) == (3, 0.5, "per_beat")
    assert study.beats.max_per_draw == 200


def test_it_plans_about_as_many_people_and_draws_as_the_paper_had(paper_scale):
    study = Study.from_config(paper_scale)
    people = cohort(study.simulation, study.analyte, study.seed)
    assert sum(person.population == "personal" for person in people) == 16
    usable = {}
    for person in people:
        if person.population != "generic":
            continue
        labels = [draw.label for draw in person.monitored.draws if draw.stretch is not None]
        used = 1 if 1 in labels else 0
        read = min(labels.count(used), study.cohort.draws_per_generic_patient)
        usable[person.subject_id] = [{"draw_id": 10 * person.subject_id + i, "label": used} for i in range(read)]
    draws = choose_generic_draws(usable, study.populations, study.seed)
    assert len({draw["subject_id"] for draw in draws}) == pytest.approx(1439, rel=0.1)
    assert len(draws) == pytest.approx(2666, rel=0.1)
    assert sum(draw["label"] for draw in draws) == pytest.approx(1341, rel=0.1)
