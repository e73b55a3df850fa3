"""The figures that Chiu et al. 2022 published, as data, for the report to print beside a study's own."""

from dataclasses import dataclass

CITATION = "Chiu I-M, Cheng J-Y, Chen T-Y, et al. J Med Internet Res 2022;24(12):e41163"
DOI = "10.2196/41163"
CONDITION = "hyperkalemia"
PATIENTS = 16  # personal patients; every figure of ROUNDS is over them


@dataclass(frozen=True)
class MeanSd:
    """Mean and SD over the paper's 16 patients; `sd` is None where only the mean is given."""

    mean: float
    sd: float | None = None
    approximate: bool = False  # described in words as a plateau, not printed as a figure
    doubt: str | None = None  # why the figure cannot be right

    @property
    def is_sure(self) -> bool:
        """Whether it was printed as a figure, and can be right."""
        return not self.approximate and self.doubt is None


IMPOSSIBLE_SPECIFICITY_SD = (
    "For specificity an SD of 0.321 is not possible: around a mean of 0.907, the sample SD of 16 values between 0 and"
    " 1 is 0.300 at most."
)

# Results section: metric -> round -> result; a round that is missing was not published.
ROUNDS: dict[str, dict[int, MeanSd]] = {
    "accuracy": {0: MeanSd(0.604, 0.211), 1: MeanSd(0.895, 0.189), 2: MeanSd(0.942, 0.104), 5: MeanSd(0.980, 0.078)},
    "auc": {
        0: MeanSd(0.729, 0.240),
        1: MeanSd(0.918, 0.149),
        2: MeanSd(0.945, 0.094),
        5: MeanSd(0.945, approximate=True),
    },
    "sensitivity": {0: MeanSd(0.674, 0.456), 2: MeanSd(0.953, 0.160)},
    "specificity": {0: MeanSd(0.628, 0.417), 1: MeanSd(0.907, 0.321, doubt=IMPOSSIBLE_SPECIFICITY_SD)},
}

# Results section: (metric, round) -> P against round 0, by a Mann-Whitney U test over the 16 patients.
P_VALUES = {("accuracy", 1): "P<.001", ("sensitivity", 2): "P=.03", ("specificity", 1): "P=.03"}
UNPAIRED = "by Mann-Whitney U, which takes the two values of one patient for those of two people."

# The generic network; the paper does not say whether beats or draws are counted.
GENERIC_ACCURACY = {"train": 0.724, "validation": 0.639, "test": 0.627}
# split -> patients, positive beats, negative beats
GENERIC_SPLITS = {
    "train": (881, 172_388, 152_322),
    "validation": (280, 53_488, 51_468),
    "test": (278, 53_412, 52_134),
}

# Results section and flow chart; of the generic patients used, each gave draws of one class.
INCLUSION = {
    "patients": 41_291,
    "eligible": 5_385,
    "personal": 16,
    "eligible_generic": 5_369,
    "generic": 1_439,
    "positive_draws": 1_341,
    "positive_patients": 721,
    "negative_draws": 1_325,
    "negative_patients": 718,
}
MIN_PERSONAL_DRAWS = 8  # of each class

# Table 1, with the keys of cohort/characteristics.json; n and share as printed; None where it was not published.
CHARACTERISTICS = {
    "generic": {
        "n": 1439,
        "age_median_iqr": [64, 52, 76],
        "men": [610, 0.596],
        "ethnicity": {
            "White": [907, 0.630],
            "African American": [176, 0.122],
            "Hispanic": [71, 0.046],
            "Asian": [45, 0.031],
            "American Indian": [6, 0.004],
            "other": [50, 0.035],
            "unknown": [184, 0.128],
        },
        "height_cm_median_iqr": [170.0, 160.2, 178.0],
        "weight_kg_median_iqr": [79.2, 66.9, 94.6],
        "potassium_negative_mean_sd": [4.3, 0.40],
        "potassium_positive_mean_sd": [6.3, 0.64],
        "draws": 2666,
        "positive": 1341,
        "negative": 1325,
    },
    "personal": {
        "n": 16,
        "age_median_iqr": [50, 43, 60],
        "men": [13, 0.812],
        "ethnicity": {
            "White": [7, 0.438],
            "African American": [3, 0.188],
            "Hispanic": [0, 0.0],
            "Asian": [1, 0.062],
            "American Indian": [0, 0.0],
            "other": [1, 0.062],
            "unknown": [4, 0.250],
        },
        "height_cm_median_iqr": [176.5, 169.2, 186.8],
        "weight_kg_median_iqr": [89.2, 71.4, 108.3],
        "potassium_negative_mean_sd": [4.1, 0.44],
        "potassium_positive_mean_sd": [6.2, 0.70],
        "draws": None,
        "positive": None,
        "negative": None,
    },
}
GENDER_DOUBT = (
    "The paper's gender rows add up to 1,023 of its 1,439 generic patients; its 59.6% of men is a share of those 1,023."
)
HISPANIC_DOUBT = "The paper prints 71 Hispanic patients as 4.6%; they are 4.9% of 1,439."
PARTITION_DOUBT = (
    "The paper splits all its data 6:2:2 at random and reports 881, 280 and 278 patients. They add up to 1,439, so the"
    " split is read as one of patients; on that reading 6:2:2 makes 863, 288 and 288."
)
PLATEAU_DOUBT = (
    "The paper calls an accuracy of 0.942 after the second round a plateau, and reports 0.980 after the fifth."
)
UNIT_DOUBT = (
    "The paper does not say whether a patient's accuracy and AUC are of beats or of draws. They are likely of beats:"
    " over draws, an accuracy of 0.980 (SD 0.078) takes at least 14 of the 16 patients without an error, which does not"
    " go with a mean AUC of 0.945."
)
MEAN_ACCURACY_DOUBT = (
    "The generic network's mean accuracy (0.604) lies below both its mean sensitivity (0.674) and its mean specificity"
    " (0.628). Each patient's accuracy lies between the patient's own two, so this takes patients whose more frequent"
    " class is the one that is recognized worse."
)
DOUBTS = (
    GENDER_DOUBT,
    HISPANIC_DOUBT,
    PARTITION_DOUBT,
    MEAN_ACCURACY_DOUBT,
    IMPOSSIBLE_SPECIFICITY_SD,
    PLATEAU_DOUBT,
    UNIT_DOUBT,
)
