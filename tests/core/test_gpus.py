import os
import re

import pytest

from kalemia.core.jobs import set_visible_gpus
from run_workflow import ROOT


@pytest.mark.parametrize(("n_requested", "seen"), [(0, ""), (1, "3")])
def test_a_job_that_requested_no_gpu_sees_none(monkeypatch, n_requested, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    set_visible_gpus(n_requested)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen


def test_every_script_that_may_use_a_gpu_sets_visible_gpus_first():
    scripts = set()
    for rules in ROOT.glob("rules/*.smk"):
        for rule in re.split(r"\n *(?:rule|checkpoint) ", rules.read_text()):
            if '"../envs/training.yaml"' in rule:
                scripts.update(re.findall(r'"\.\./workflow/scripts/(\w+)\.py"', rule))
    assert len(scripts) == 8
    for name in scripts:
        script = (ROOT / f"workflow/scripts/{name}.py").read_text()
        call = script.index('set_visible_gpus(snakemake.resources.get("gpu", 0))\n')
        assert call < script.index("with job_log("), name
