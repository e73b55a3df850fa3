"""Data augmentation: small random changes to beats that an electrode or an amplifier could have caused."""

import torch
from torch import Tensor

from kalemia.core.config import Augmentation
from kalemia.core.schemas import BEAT_SAMPLES


def augment(inputs: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Return a randomly changed copy of network inputs (n, 120 or more).

    The first 120 columns are the samples of a beat; columns after them are copied unchanged. Each beat is shifted by
    up to `settings.shift` whole samples (edge values are repeated), multiplied by a log-normal factor, put on a
    baseline with a random offset and slope, and given white noise. Amounts are in the unit of the samples.
    `generator` must be on the device of `inputs`.
    """

    def normal(columns: int) -> Tensor:
        return torch.randn(len(inputs), columns, generator=generator, device=inputs.device)

    samples = inputs[:, :BEAT_SAMPLES]
    index = torch.arange(BEAT_SAMPLES, device=inputs.device)
    if settings.shift:
        shift = torch.randint(
            -settings.shift, settings.shift + 1, (len(inputs), 1), generator=generator, device=inputs.device
        )
        samples = samples.gather(1, (index + shift).clamp(0, BEAT_SAMPLES - 1))
    if settings.amplitude:
        samples = samples * torch.exp(settings.amplitude * normal(1))
    if settings.baseline:
        position = index / (BEAT_SAMPLES - 1) - 0.5
        samples = samples + settings.baseline * (normal(1) + normal(1) * position)
    if settings.noise:
        samples = samples + settings.noise * normal(BEAT_SAMPLES)
    return torch.cat([samples, inputs[:, BEAT_SAMPLES:]], dim=1)
