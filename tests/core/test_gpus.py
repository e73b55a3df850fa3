import os
import re

import pytest

from kalemia.core.jobs import set_visible_gpus
from run_workflow import ROOT


@pytest.mark.parametrize(("n_asked", "seen"), [(0, ""), (1, "3")])
def test_a_job_that_asked_for_no_gpu_sees_none(monkeypatch, n_asked, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    set_visible_gpus(n_asked)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen


def test_every_script_of_a_rule_that_trains_or_scores_hides_gpus_before_it_works():
    scripts = set()
    for rules in ROOT.glob("rules/*.smk"):
        for rule in re.split(r"\n(?:rule|checkpoint) ", rules.read_text()):
            if '"../envs/training.yaml"' in rule:
                scripts.update(re.findall(r'"\.\./workflow/scripts/(\w+)\.py"', rule))
    assert len(scripts) == 6
    for name in scripts:
        script = (ROOT / f"workflow/scripts/{name}.py").read_text()
        call = script.index('set_visible_gpus(snakemake.resources.get("gpu", 0))\n')
        assert call < script.index("with job_log("), name
