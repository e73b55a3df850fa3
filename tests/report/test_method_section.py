"""The page's section on the method: what it says of the paper and of the arms."""

from dataclasses import replace

from kalemia.network.resnet import BatchNormRelu
from kalemia.report.sections.method import STEPS, steps


def _ours(study) -> dict[str, str]:
    return {step.name: step.ours for step in steps(study)}


def test_the_share_of_batch_norm_statistics_that_a_round_replaces_is_that_of_the_network_s_momentum(study):
    told = _ours(study)["Batch-norm statistics of the trained part"]
    assert f"{1 - (1 - BatchNormRelu(1).momentum) ** STEPS:.0%}" == "97%"
    assert "97% are the patient's" in told
    assert "momentum 30%" in told


def test_what_differs_between_arms_is_told_for_each(study):
    first, *others = study.arms
    arms = study.arms | {first: replace(study.arms[first], learning_rate=5e-5, batch_norm="frozen")}
    mixed = _ours(replace(study, arms=arms))
    assert _ours(study)["Learning rate of a round"] == "0.001"
    assert mixed["Learning rate of a round"] == f"{first}: 5e-05; {', '.join(others)}: 0.001"
    assert mixed["Batch-norm statistics of the trained part"].startswith(f"{first}: those of the generic network; ")


def test_the_paper_s_draws_of_a_generic_patient_follow_from_its_counts(study):
    (step,) = (step for step in steps(study) if step.name == "Draws of a generic patient")
    assert step.published == "1.85 on average"
    assert step.ours == f"at most {study.cohort.draws_per_generic_patient}"


def test_the_trained_part_is_named_for_one_stage_and_for_more(study):
    name = "Trained part of the network"
    told = [_ours(replace(study, personal=replace(study.personal, n_trained_stages=n)))[name] for n in (1, 2)]
    assert [of.split(" where ")[0] for of in told] == ["the last stage", "the last 2 stages"]
