"""The recordings of a person: the recorded minutes, their segments, and the signals in them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np

from kalemia.core.config import Simulation
from kalemia.core.schemas import RATE_HZ
from kalemia.core.seeds import rng
from kalemia.simulate import physiology
from kalemia.simulate.between_draws import AROUND_DRAW, PIECE_MINUTES, free_pieces, moment_between_draws
from kalemia.simulate.fluid import liters_at, voltage_factor
from kalemia.simulate.heartbeats import Heartbeats, beats_of_draw
from kalemia.simulate.noise_and_shortcuts import Shortcut, motion_mv, noise_mv, shortcut_at, spoil
from kalemia.simulate.own_places import own_ecg_mv, random_places
from kalemia.simulate.patients import FIRST_SUBJECT, Person
from kalemia.simulate.potassium_course import Draw
from kalemia.simulate.wfdb_files import Channel, Segment, record_name, write_numerics, write_record

GAINS = (21, 32, 43, 50, 53, 67, 86)  # per mV, typical of bedside monitors
BASELINES = (0, -16, -32)
PULSES = {"PLETH": (Channel("PLETH", "NU", 255, -128), 0.2, 0.6), "ABP": (Channel("ABP", "mmHg", 1.25, -100), 68, 52)}
_MINUTE = int(60 * RATE_HZ)

Piece = tuple[int, int, tuple[str, ...]]  # from and to (samples after the draw, half open), and the signals kept


def write_recordings(folder: Path, person: Person, settings: Simulation, seed: int) -> list[str]:
    """Write all recordings of a person into `folder`, with numerics and RECORDS; returns the recordings' names."""
    folder.mkdir(parents=True)
    names, lines = [], []
    for stretch in range(len(person.stretches)):
        name, number = recording_name(person, stretch), recording_number(person, stretch)
        start, n_samples = stretch_start(person, stretch), stretch_samples(person, stretch)
        segments, rates = _segments_and_rates(person, stretch, settings, seed)
        layout = _channels(person.leads, GAINS[0], BASELINES[0])
        records = write_record(folder, name, number, start, n_samples, layout, segments)
        n_minutes = n_samples // _MINUTE
        trend = rng(seed, "numerics", person.subject_id, stretch)
        write_numerics(folder, name, number, start, _heart_rate_bpm(rates, n_minutes, trend))
        lines += [name, f"{name}n", *records]
        names.append(name)
    (folder / "RECORDS").write_text("".join(f"{line}\n" for line in lines))
    return names


def recording_name(person: Person, stretch: int) -> str:
    """The name of the recording of one stretch, for example ``p200001-2150-03-04-05-17``."""
    return record_name(person.subject_id, stretch_start(person, stretch))


def recording_number(person: Person, stretch: int) -> int:
    """The seven digits at the start of the names of its segments."""
    return 3_000_000 + 100 * (person.subject_id - FIRST_SUBJECT) + stretch + 1


def stretch_start(person: Person, stretch: int) -> datetime:
    """The time of the first sample, to the millisecond."""
    return person.monitored.at(person.stretches[stretch].start)


def stretch_samples(person: Person, stretch: int) -> int:
    """The length of the recording, gaps included."""
    hours = person.stretches[stretch].stop - person.stretches[stretch].start
    return int(hours * 60) * _MINUTE


def draw_signals(
    person: Person, index: int, start: int, stop: int, settings: Simulation, seed: int
) -> tuple[dict[str, np.ndarray], Heartbeats]:
    """All signals around a draw, from `start` to `stop` in samples after it, and the heartbeats that they show.

    The signals are a dict of arrays of shape (stop - start,): ECG leads in mV, ABP in mmHg, PLETH in its own unit.
    Where all effects of `settings` are 0 they do not depend on the draw's potassium.
    """
    return _signals(person, person.monitored.draws[index], index, stop - start, settings, seed)


def _signals(
    person: Person, draw: Draw, key: int | str, n_samples: int, settings: Simulation, seed: int
) -> tuple[dict[str, np.ndarray], Heartbeats]:
    """As `draw_signals`, at a draw or at a moment between draws; `key` names it among those of the person."""
    heart, random = person.heart, rng(seed, "beats", person.subject_id, key)
    ectopy = min(heart.ectopy * settings.noise, 0.2)
    beats = beats_of_draw(heart, draw.potassium, settings.potassium_effect, ectopy, n_samples / RATE_HZ, random)
    shortcut = _shortcut(person, draw, settings, seed)
    leads = [lead for lead in person.leads if lead not in PULSES]
    factors = {"II": np.ones(len(physiology.WAVES)), "V": heart.chest_factor}
    liters = liters_at(seed, person.monitored.hadm_id, key, draw.potassium, settings.fluid_per_meq)
    scale = shortcut.amplitude * voltage_factor(liters)
    ecg_mv = beats.ecg_mv(n_samples, np.array([factors[lead] for lead in leads]) * scale)
    if settings.own_place_effect > 0:
        places = random_places(seed, person.subject_id, heart, settings.own_place_effect)
        height_mv = places.height_mv(draw.potassium, rng(seed, "own heights", person.subject_id, key))
        ecg_mv += own_ecg_mv(places, height_mv, beats.rhythm, n_samples)
    signals = {}
    for lead, lead_mv in zip(leads, ecg_mv, strict=True):
        noise = rng(seed, "noise", person.subject_id, key, lead)
        if heart.fibrillates:
            lead_mv += physiology.fibrillation_mv(n_samples, noise)
        signals[lead] = _at_the_bedside(lead_mv, draw, heart.breaths_hz, settings.noise, noise) * shortcut.gain
    for lead in person.leads:
        if lead in PULSES:
            _, foot, height = PULSES[lead]
            signals[lead] = foot + height * physiology.pulse(beats.rhythm.r_s, n_samples)
    return signals, beats


def _shortcut(person: Person, draw: Draw, settings: Simulation, seed: int) -> Shortcut:
    return shortcut_at(seed, person.subject_id, draw.stretch, draw.hours, settings.shortcuts)


def _at_the_bedside(
    lead_mv: np.ndarray, draw: Draw, breaths_hz: float, noise: float, random: np.random.Generator
) -> np.ndarray:
    """A lead with the noise and the artifacts of its draw; the artifacts of a poor one make it unusable."""
    poor = draw.coverage == "poor"
    lead_mv = lead_mv + noise_mv(len(lead_mv), noise, 15 if poor else 1, breaths_hz, random)
    lead_mv += noise * motion_mv(len(lead_mv), 40 if poor else 0.3, random)
    spoil(lead_mv, noise * (2 if poor else 0.08), random)
    return lead_mv


def _segments_and_rates(
    person: Person, stretch: int, settings: Simulation, seed: int
) -> tuple[list[Segment], list[tuple[float, float]]]:
    """The segments of a recording in time, and (minute, heart rate) of its draws.

    Of a whole recording also the segments between the draws, and the heart rate of each.
    """
    segments, rates, start = [], [], person.stretches[stretch].start
    for index, draw in enumerate(person.monitored.draws):
        if draw.stretch != stretch:
            continue
        at = _sample_of(draw, start)
        random = rng(seed, "segments", person.subject_id, index)
        pieces = _pieces(draw.coverage, person.leads, random)
        first, last = pieces[0][0], pieces[-1][1]
        signals, beats = draw_signals(person, index, first, last, settings, seed)
        rates.append((at / _MINUTE, beats.rhythm.rate_bpm))
        fitting = _fitting_gains(person, beats, _shortcut(person, draw, settings, seed))
        for piece_first, piece_last, kept in pieces:
            channels = _channels(kept, int(random.choice(fitting)), int(random.choice(BASELINES)))
            values = np.stack([signals[lead][piece_first - first : piece_last - first] for lead in kept])
            segments.append(Segment(at + piece_first, channels, values))
    if stretch == person.whole_stretch:
        between = list(_segments_between(person, stretch, segments, settings, seed))
        segments = sorted([*segments, *(segment for segment, _ in between)], key=lambda segment: segment.start)
        rates = sorted([*rates, *(rate for _, rate in between)])
    return segments, rates


def _sample_of(draw: Draw, start: float) -> int:
    """The sample of a recording that begins `start` hours after admission."""
    return round((draw.hours - start) * 60 * _MINUTE)


def _segments_between(
    person: Person, stretch: int, segments: list[Segment], settings: Simulation, seed: int
) -> Iterator[tuple[Segment, tuple[float, float]]]:
    """The segments that fill a recording between those of its draws, each with (minute, heart rate)."""
    start = person.stretches[stretch].start
    taken = [(segment.start, segment.start + segment.values.shape[1]) for segment in segments]
    at_draws = [_sample_of(draw, start) for draw in person.monitored.draws if draw.stretch == stretch]
    taken += [(at - AROUND_DRAW[0] * _MINUTE, at + AROUND_DRAW[1] * _MINUTE) for at in at_draws]
    for first, last in free_pieces(taken, stretch_samples(person, stretch), PIECE_MINUTES * _MINUTE):
        moment = moment_between_draws(person.monitored.draws, start + (first + last) / 2 / _MINUTE / 60, stretch)
        key = f"{stretch} from {first}"
        signals, beats = _signals(person, moment, key, last - first, settings, seed)
        random = rng(seed, "segments", person.subject_id, key)
        fitting = _fitting_gains(person, beats, _shortcut(person, moment, settings, seed))
        channels = _channels(person.leads, int(random.choice(fitting)), int(random.choice(BASELINES)))
        yield (
            Segment(first, channels, np.stack([signals[lead] for lead in person.leads])),
            (first / _MINUTE, beats.rhythm.rate_bpm),
        )


def _pieces(coverage: str, leads: tuple[str, ...], random: np.random.Generator) -> list[Piece]:
    """The pieces that the monitor kept around a draw, by the kinds of `potassium_course.COVERAGE`."""

    def minutes(low: float, high: float) -> int:
        return int(random.uniform(low, high) * _MINUTE)

    start, stop = -minutes(12.2, 14.5), minutes(0.3, 1.5)
    others = tuple(lead for lead in leads if lead != "II")
    if coverage == "interrupted":
        cut = -minutes(2, 8)
        return [(start, cut, leads), (cut + minutes(0.02, 0.75), stop, leads[:2])]
    if coverage == "rescaled":
        cut = -minutes(2, 8)
        return [(start, cut, leads), (cut, cut + 4, leads), (cut + 4, stop, leads)]
    if coverage == "late":
        cut = -minutes(6.5, 8.5)
        return [(start, cut, others), (cut, stop, leads)]
    if coverage == "short":
        return [(-minutes(1.5, 4.5), stop, leads)]
    if coverage == "no lead":
        return [(start, stop, others)]
    if coverage == "off":
        return [(-95 * _MINUTE, -90 * _MINUTE, leads)]
    return [(start, stop, leads)]


def _fitting_gains(person: Person, beats: Heartbeats, shortcut: Shortcut) -> list[int]:
    """The two highest gains that fit the person's ECG, as a monitor would choose.

    They do not depend on potassium, unless waves have grown so much that they would not fit.
    """
    factors = np.array([np.ones(5), person.heart.chest_factor]) * shortcut.amplitude * shortcut.gain
    resting_mv = np.abs(person.heart.waves.amplitude_mv * factors).max()
    waves_mv = np.median(beats.waves.amplitude_mv, axis=0) * factors
    up_mv, down_mv = max(1.3 * resting_mv, 1.15 * waves_mv.max()) + 0.4, 0.4 - 1.15 * waves_mv.min()
    return [gain for gain in GAINS if gain * up_mv < 120 and gain * down_mv < 120 + min(BASELINES)][-2:] or [GAINS[0]]


def _channels(leads: tuple[str, ...], gain: int, baseline: int) -> tuple[Channel, ...]:
    return tuple(PULSES[lead][0] if lead in PULSES else Channel(lead, "mV", gain, baseline) for lead in leads)


def _heart_rate_bpm(rates: list[tuple[float, float]], n_minutes: int, random: np.random.Generator) -> np.ndarray:
    """The monitor's heart rate per minute: interpolated between the draws, sometimes missing."""
    minutes, rate_bpm = np.array(rates).T
    values = np.interp(np.arange(n_minutes), minutes, rate_bpm) + random.normal(0, 2, n_minutes)
    values[random.random(n_minutes) < 0.02] = np.nan
    return values
