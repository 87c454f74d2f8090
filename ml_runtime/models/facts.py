"""What people want to know of the zoo's models before they load one: licence, citation, clip length, where weights lie.

What lives here: facts that only the models' authors can tell, by the zoo's names. What must not: which models there
are (zoo.py asks the zoo). What is not known stays None; a model without a line here is listed all the same.

They hold for the default options of bioacoustics-model-zoo 0.13.
"""

from __future__ import annotations

from dataclasses import dataclass

from ml_runtime.models.caches import HuggingFace, InZooCache, Kaggle, TorchHub, WeightsPlace


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one model. `clip_seconds` and `sample_rate` (Hz) are what it hears, `weights` what must be here to run it."""

    title: str | None = None
    licence: str | None = None
    citation: str | None = None
    clip_seconds: float | None = None
    sample_rate: int | None = None
    class_count: int | None = None
    weights: tuple[WeightsPlace, ...] = ()


UNKNOWN = Facts()

_MIT, _APACHE, _NON_COMMERCIAL = "MIT", "Apache-2.0", "CC-BY-NC-SA-4.0"
_BIRDNET = (
    "Kahl, S., Wood, C. M., Eibl, M., Klinck, H. (2021): BirdNET: A deep learning solution for avian diversity "
    "monitoring. Ecological Informatics 61, 101236."
)
_HAWKEARS = "Huus, J. et al. (2024): HawkEars: A regional, high-performance avian acoustic classifier. SSRN."
_PERCH = (
    "Ghani, B. et al. (2023): Feature embeddings from large-scale acoustic bird classifiers enable few-shot transfer "
    "learning. arXiv 2307.06292."
)
_PERCH_2 = (
    "van Merriënboer, B., Dumoulin, V., Hamer, J., Harrell, L., Burns, A., Denton, T. (2025): Perch 2.0: The bittern "
    "lesson for bioacoustics. arXiv 2508.04665."
)
_HUMPBACK = (
    "Allen, A. et al. (2021): A convolutional neural network for automated detection of humpback whale song in a "
    "diverse, long-term passive acoustic dataset. Frontiers in Marine Science, doi 10.3389/fmars.2021.607321."
)
_BIRDSET = (
    "Rauch, L. et al. (2024): BirdSet: A multi-task benchmark for classification in avian bioacoustics. "
    "arXiv 2403.10380."
)
_RANA = (
    "Lapp, S. et al. (2024): Aquatic soundscape recordings reveal diverse vocalizations and nocturnal activity of an "
    "endangered frog. The American Naturalist 203(5), 618-627."
)
_RANA_FILE = "BMZ0001_rana_seirrae_cnn_v1-0.model"


def _hawkears(title: str, folder: str, count: int = 1) -> Facts:
    return Facts(title, _MIT, _HAWKEARS, 3.0, 37120, None, (InZooCache(folder, "*.ckpt", count),))


def _birdset(title: str, repository: str, folder: str) -> Facts:
    weights = tuple(HuggingFace(repository, name, folder) for name in ("config.json", "model.safetensors"))
    return Facts(title, None, _BIRDSET, 5.0, 32000, 9736, weights)


FACTS: dict[str, Facts] = {
    "BirdNET": Facts(
        "BirdNET 2.4",
        _NON_COMMERCIAL,
        _BIRDNET,
        3.0,
        48000,
        6522,
        (
            HuggingFace("sammlapp/BirdNET_v2.4", "V2.4/BirdNET_GLOBAL_6K_V2.4_Labels.txt"),
            HuggingFace("sammlapp/BirdNET_v2.4", "V2.4/BirdNET_GLOBAL_6K_V2.4_Model_FP16.tflite"),
        ),
    ),
    "BirdNETOccurrenceModel": Facts("BirdNET 2.4 occurrence model", _NON_COMMERCIAL, _BIRDNET),
    "Perch": Facts(
        "Perch 8 (Google bird vocalization classifier)",
        _APACHE,
        _PERCH,
        5.0,
        32000,
        10932,
        (Kaggle("google/bird-vocalization-classifier/tensorFlow2/bird-vocalization-classifier/8"),),
    ),
    "Perch2": Facts(
        "Perch 2",
        _APACHE,
        _PERCH_2,
        5.0,
        32000,
        14795,
        (Kaggle("google/bird-vocalization-classifier/tensorFlow2/perch_v2_cpu/1"),),
    ),
    "Perch2LiteRT": Facts(
        "Perch 2 (LiteRT)",
        _APACHE,
        _PERCH_2,
        5.0,
        32000,
        14795,
        (HuggingFace("justinchuby/Perch-onnx", "perch_v2.tflite"),),
    ),
    "YAMNet": Facts("YAMNet", _APACHE, None, None, 16000, 521, (Kaggle("google/yamnet/TensorFlow2/yamnet/1"),)),
    "HumpbackWhale": Facts(
        "Humpback whale (NOAA and Google)",
        _APACHE,
        _HUMPBACK,
        3.91,
        10000,
        1,
        (Kaggle("google/humpback-whale/TensorFlow2/humpback-whale/1"),),
    ),
    "MultiSpeciesWhale": Facts(
        "Multi-species whale (Google)",
        _APACHE,
        None,
        5.0,
        24000,
        12,
        (Kaggle("google/multispecies-whale/TensorFlow2/default/1"),),
    ),
    "HawkEars": _hawkears("HawkEars 1.0", "hawkears/1.0.8"),
    "HawkEars_Embedding": _hawkears("HawkEars 1.0, for embeddings", "hawkears_embedding/1.0.8"),
    "HawkEars_Low_Band": _hawkears("HawkEars 1.0, low frequencies (grouse)", "hawkears_low_band/1.0.8"),
    "HawkEars_v010": _hawkears("HawkEars 0.1", "hawkears_v010/0.1.0", count=5),
    "HawkEars2": Facts("HawkEars 2", _MIT, _HAWKEARS, 3.0, 28000),
    "BirdSetConvNeXT": _birdset(
        "BirdSet ConvNeXT (Xeno-canto)", "DBD-research-group/ConvNeXT-Base-BirdSet-XCL", "birdset_convnext"
    ),
    "BirdSetEfficientNetB1": _birdset(
        "BirdSet EfficientNet B1 (Xeno-canto)",
        "DBD-research-group/EfficientNet-B1-BirdSet-XCL",
        "birdset_efficientnetb1",
    ),
    "BirdCODE": Facts("BirdCODE (Earth Species Project)", sample_rate=32000),
    "SeparationModel": Facts("MixIT bird sound separation (Google)", _APACHE, sample_rate=22050),
    "RanaSierraeCNN": Facts(
        "Sierra Nevada yellow-legged frog (Rana sierrae)", None, _RANA, 2.0, None, 2, (TorchHub(_RANA_FILE),)
    ),
}
