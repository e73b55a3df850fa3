"""Settings of the data: where they come from, the simulation, the analyte, the cohort and its populations."""

from dataclasses import dataclass

from kalemia.core.settings.declare import section, setting

ANALYTE_UNIT = "unit of the analyte"


@dataclass(frozen=True)
class Source:
    kind: str = setting(
        "simulated",
        "where recordings and laboratory values come from",
        choices={
            "simulated": "a simulated cohort, which is written first",
            "physionet": "MIMIC-III's files in PhysioNet's layout, in a folder or on the web",
            "mimic4": "MIMIC-IV and its 12-lead ECGs, in a folder or on the web (docs/open-data.md)",
            "vitaldb": "VitalDB's surgical cases, in a folder or on the web (docs/open-data.md)",
            "local": "your own recordings (docs/own-recordings.md)",
        },
    )
    waveforms: str | None = setting(
        None,
        "physionet: folder or base URL that contains mimic3wdb-matched/1.0; mimic4: one that contains record_list.csv;"
        " vitaldb: one that contains vital_files/0003.vital, or by the web API 3.vital;"
        " local: folder that contains recordings.csv",
    )
    tables: str | None = setting(
        None,
        "physionet: folder or URL that contains LABEVENTS.csv.gz or .csv, and the other tables; mimic4: one that"
        " contains hosp/labevents.csv.gz; vitaldb: one that contains clinical_data.csv and lab_data.csv, or by the web"
        " API cases and labs; local: folder that contains potassium.csv",
    )
    credentials_host: str | None = setting(
        None,
        "HTTP only: a host that may get PHYSIONET_USERNAME and PHYSIONET_PASSWORD, besides those of physionet.org",
    )
    max_connections: int = setting(
        4,
        "HTTP only: headers fetched at the same time (for samples: the resource `download` of the profile)",
        minimum=1,
    )
    max_attempts: int = setting(6, "HTTP only: attempts to fetch a file before it counts as lost", minimum=1)
    timeout_s: float = setting(60.0, "HTTP only: longest wait for a byte from the server", unit="s", above=0)
    optional_tables: tuple[str, ...] | None = setting(
        None,
        "tables to read in addition to the five required ones: CHARTEVENTS for height and weight, the others for"
        " treatments; null: those that the folder contains, or none by HTTP",
        choices=("CHARTEVENTS", "INPUTEVENTS_MV", "INPUTEVENTS_CV", "PRESCRIPTIONS", "PROCEDUREEVENTS_MV"),
        unique=True,
    )
    cases: str = setting(
        "all",
        "vitaldb: which cases the study takes, by what is known before the operation",
        choices={
            "all": "all cases",
            "renal": "transplantations of kidney or liver, access for dialysis, creatinine above 4 mg/dL, or potassium"
            " above 5.3 mmol/L",
        },
    )
    min_age_years: float = setting(18.0, "vitaldb: age of the youngest people whose cases the study takes", minimum=0)


@dataclass(frozen=True)
class Shortcuts:
    electrodes: bool = setting(
        False, "electrode positions, and with them amplitudes and axis, differ between stretches of recording"
    )
    gain: bool = setting(False, "the amplifier gain differs between stretches of recording")
    drift: bool = setting(False, "the beat changes slowly from day to day")
    label_changes: bool = setting(
        False, "a new recording begins where the class of the values changes; otherwise recordings end at random"
    )


@dataclass(frozen=True)
class Simulation:
    generic_patients: int = setting(
        64, "patients with one or a few draws, half of them hyperkalemic", minimum=0, maximum=100_000
    )
    personal_patients: int = setting(
        6, "patients with enough draws of both classes for a personalized network", minimum=0, maximum=100_000
    )
    single_episode_patients: int = setting(
        1, "how many of these have all positive draws in one episode, so that no forward split exists", minimum=0
    )
    draws_per_generic_patient: int = setting(2, "draws of each generic patient", minimum=1, maximum=1000)
    draws_per_personal_patient: int = setting(26, "draws of each personal patient", minimum=18, maximum=1000)
    hours_between_draws: float = setting(
        5.5, "mean time between draws of a personal patient; runs of one class last about a day", unit="h", above=0
    )
    whole_recordings: int = setting(
        0,
        "personal patients with one recording that is written whole, that in which potassium changes most; the others"
        " are written around their draws only",
        minimum=0,
    )
    potassium_effect: float = setting(1.0, "effect of potassium on the ECG: 0 is none, 1 is as published", minimum=0)
    own_place_effect: float = setting(
        0.0,
        "effect of potassium that is each patient's own, at two of four places apart from the textbook's: 1 is 0.04 mV"
        " per mEq/L, and at 0 there are no such places",
        minimum=0,
    )
    fluid_per_meq: float = setting(
        0.0,
        "a confounder: fluid that a patient gains and loses with each mEq/L of potassium; it lowers the waves of the"
        " ECG and dilutes sodium",
        unit="L",
        minimum=0,
    )
    max_potassium: float = setting(
        10.0,
        "potassium of the sickest patients; from about 8 the rhythm may fail, from about 9 the ECG may be a sine wave",
        unit="mEq/L",
        minimum=6.5,
        maximum=12,
    )
    unresponsive_fraction: float = setting(
        0.15, "fraction of patients whose ECG hardly responds to potassium", minimum=0, maximum=1
    )
    noise: float = setting(
        1.0, "amount of baseline wander, muscle noise, artifacts and ectopy: 1 is an ordinary bedside", minimum=0
    )
    shortcuts: Shortcuts = section(Shortcuts(), "what a network could learn instead of potassium")


@dataclass(frozen=True)
class Range:
    """Bounds on a value: `above` and `below` exclude their own value, `from` and `to` include it."""

    above: float = float("-inf")
    from_: float = float("-inf")
    to: float = float("inf")
    below: float = float("inf")

    def contains(self, values):
        """Elementwise, for a number or an array."""
        return (values > self.above) & (values >= self.from_) & (values <= self.to) & (values < self.below)

    def is_empty(self) -> bool:
        return self.from_ > self.to or self.above >= self.below or self.from_ >= self.below or self.above >= self.to

    def overlaps(self, other: "Range") -> bool:
        both = Range(
            max(self.above, other.above),
            max(self.from_, other.from_),
            min(self.to, other.to),
            min(self.below, other.below),
        )
        return not both.is_empty()


@dataclass(frozen=True)
class Contamination:
    jump: float = setting(
        1.5, "smallest change from the previous value, and smallest change back", unit=ANALYTE_UNIT, above=0
    )
    previous_hours: float = setting(24.0, "longest time since the previous value", unit="h", above=0)
    undone_hours: float = setting(2.0, "longest time until the value that undoes the jump", unit="h", above=0)
    exclude: bool = setting(False, "exclude flagged draws")


@dataclass(frozen=True)
class Analyte:
    name: str = setting("potassium", "name of the analyte")
    condition: str = setting("hyperkalemia", "name of the positive class")
    unit: str = setting("mEq/L", "unit of the analyte; values in another unit are not used")
    items: tuple[int, ...] = setting(
        (50971,),
        "LABEVENTS items that count; of several items of one specimen the first in this list is used: 50971 is serum or"
        " plasma, 50822 is whole blood (blood gas)",
        min_length=1,
    )
    positive: Range = setting(
        Range(above=5.5),
        "values with label 1; above and below exclude their own value, from and to include it, null removes a bound",
        unit=ANALYTE_UNIT,
        paper="above 5.5",
    )
    negative: Range = setting(Range(from_=3.5, to=5.0), "values with label 0", unit=ANALYTE_UNIT, paper="3.5 to 5.0")
    plausible: Range = setting(Range(from_=1.5, to=12.0), "values outside are flagged and not used", unit=ANALYTE_UNIT)
    exclude_hemolyzed: bool = setting(True, "exclude values of specimens that the laboratory calls hemolyzed")
    contamination: Contamination = section(
        Contamination(), "a value is flagged if it jumps and the next value undoes the jump"
    )


@dataclass(frozen=True)
class Cohort:
    lead: str = setting("II", "ECG lead")
    window_minutes: float = setting(
        10.0, "length of the ECG before a draw", unit="min", paper="10", above=0, maximum=1440
    )
    max_missing_minutes: float = setting(
        5.0, "largest part of this window that may be outside the recording", unit="min", minimum=0
    )
    min_recorded_minutes: float = setting(
        5.0, "smallest part of this window that must have been recorded", unit="min", above=0
    )
    offset_hours: float = setting(
        0.0,
        "how long before the draw the ECG ends, below 0 how long after it; the answer must fade with distance"
        " (docs/cohort.md)",
        unit="h",
        minimum=-10_000,
        maximum=10_000,
    )
    pairing_hours: float | None = setting(
        None,
        "the ECG is a whole short recording, each paired with the nearest draw within so many hours before or after it;"
        " null: the ECG is a window of a long recording, as above",
        unit="h",
        above=0,
    )
    prefer_recording: str = setting(
        "usable_lead",
        "which of several overlapping recordings is used",
        choices={
            "usable_lead": "the one with more of the lead, by its headers",
            "any_lead": "the one with more of any lead",
        },
    )
    admission_slack_hours: float = setting(
        24.0, "recordings that begin further than this outside every admission are reported", unit="h", minimum=0
    )
    exclude_codes: bool = setting(True, "exclude patients with a code for atrial fibrillation or a pacemaker")
    draws_per_generic_patient: int = setting(
        4, "most draws that are read of a patient who gets no personalized network", minimum=1
    )


@dataclass(frozen=True)
class Context:
    result_delay_hours: float = setting(1.0, "time from a draw until its result is known", unit="h", minimum=0)
    treatment_window_hours: float = setting(
        6.0, "time before a draw in which calcium, insulin, bicarbonate or dialysis count as given", unit="h", above=0
    )


@dataclass(frozen=True)
class Split:
    train: float = setting(0.6, "training", minimum=0, maximum=1)
    validation: float = setting(
        0.2, "validation: learning rate, and which epoch's weights are kept", minimum=0, maximum=1
    )
    test: float = setting(0.2, "test", minimum=0, maximum=1)


@dataclass(frozen=True)
class Populations:
    personal_min_draws: int | None = setting(
        8,
        "usable draws of each class that a patient needs for a personalized network; null: nobody gets one",
        paper="8",
        minimum=1,
    )
    generic_sampling: str = setting(
        "between_patients",
        "how the draws of the generic network are chosen",
        choices={
            "between_patients": "positive draws of some patients, negative draws of others (as in the paper)",
            "within_patients": "both classes, equally often, of patients who have both",
        },
    )
    generic_patients: int | None = setting(
        None, "number of generic patients; null: as many as balanced classes allow", paper="1439", minimum=2
    )
    generic_split: Split = section(Split(), "fractions of the generic patients, which must add up to 1")
