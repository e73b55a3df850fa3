"""Small changes of beats that an electrode or an amplifier could have made, drawn anew each time a beat is learned."""

import torch
from torch import Tensor

from kalemia.core.config import Augmentation
from kalemia.core.schemas import BEAT_SAMPLES


def augment(inputs: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """A changed copy of what the network takes, (n, 120) samples and whatever follows them, which stays.

    Each beat is moved by up to `shift` whole samples, its edge value held; multiplied with a log-normal factor; put on
    a baseline with a random offset and slope; and covered with white noise. Amounts are in the unit of the samples,
    and `generator` is on their device.
    """

    def normal(columns: int) -> Tensor:
        return torch.randn(len(inputs), columns, generator=generator, device=inputs.device)

    samples = inputs[:, :BEAT_SAMPLES]
    at = torch.arange(BEAT_SAMPLES, device=inputs.device)
    if settings.shift:
        by = torch.randint(
            -settings.shift, settings.shift + 1, (len(inputs), 1), generator=generator, device=inputs.device
        )
        samples = samples.gather(1, (at + by).clamp(0, BEAT_SAMPLES - 1))
    if settings.amplitude:
        samples = samples * torch.exp(settings.amplitude * normal(1))
    if settings.baseline:
        along = at / (BEAT_SAMPLES - 1) - 0.5
        samples = samples + settings.baseline * (normal(1) + normal(1) * along)
    if settings.noise:
        samples = samples + settings.noise * normal(BEAT_SAMPLES)
    return torch.cat([samples, inputs[:, BEAT_SAMPLES:]], dim=1)
