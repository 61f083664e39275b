"""Each kind of data trains for a round, or is refused by a sentence; docs/data.md lists them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from swarm.core.errors import ConfigurationError, LearningError
from swarm.core.session import SessionSpec
from swarm.learning.backend import keras
from swarm.learning.datasets import DataDescription
from swarm.learning.federation import jobs
from swarm.learning.federation.learner import Learner
from swarm.peer.federation.own_data import (
    check_data,
    data_config,
    default_model,
    describe_data,
    frame_target,
    save_data,
)
from swarm.peer.federation.peer_settings import PeerSettings
from tests.harness.support_table import check

pytestmark = [
    pytest.mark.slow,
    # Keras 3.15 converts TensorFlow's variables in a way that numpy 2 warns about.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning"),
]

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
NUM = 60
RNG = np.random.default_rng(0)
LABELS = np.arange(NUM) % 2
WORDS = np.array(["good film", "bad film"] * (NUM // 2), object)
TABLE = RNG.normal(size=(NUM, 4))
PIXELS = RNG.integers(0, 256, (NUM, 8, 8, 3)).astype(np.uint8)
HEADING = ("data", "what a model sees", "what happens")

Make = Callable[[Path], tuple[Any, ...]]
"""Returns arguments of start_peer: x_train, y_train, x_test, y_test."""


def two_inputs(input_shape: dict[str, tuple[int, ...]], num_classes: int) -> Any:
    """A model of several inputs, as a user would bring it."""
    inputs = {name: keras.Input(shape, name=name) for name, shape in input_shape.items()}
    flat = [keras.layers.Flatten()(one) for one in inputs.values()]
    outputs = keras.layers.Dense(num_classes)(keras.layers.Concatenate()(flat))
    return keras.Model(inputs, outputs)


def pictures(folder: Path, sizes: tuple[int, ...] = (16,), damaged: int = 0) -> Path:
    for number in range(NUM):
        path = folder / "photos" / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < damaged:
            path.write_bytes(b"\x89PNG\r\n")
            continue
        side = sizes[number % len(sizes)]
        Image.fromarray(RNG.integers(0, 256, (side, side, 3)).astype(np.uint8)).save(path)
    return folder / "photos"


def texts(folder: Path) -> Path:
    for split, count in (("train", NUM), ("test", 20)):
        for number in range(count):
            path = folder / "reviews" / split / ("neg", "pos")[number % 2] / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(WORDS[number]))
    return folder / "reviews"


def hugging_face(folder: Path, kind: str) -> Path:
    import datasets  # noqa: PLC0415 - slow to import

    datasets.disable_progress_bars()
    classes = datasets.ClassLabel(names=["cat", "dog"])
    if kind == "pictures":
        features = datasets.Features({"image": datasets.Image(), "label": classes})
        columns = {"image": [Image.fromarray(one) for one in PIXELS], "label": LABELS}
        data = datasets.Dataset.from_dict(columns, features=features)
    elif kind == "texts":
        data = datasets.Dataset.from_dict({"text": list(WORDS), "label": LABELS})
    else:
        data = datasets.Dataset.from_dict({"a": TABLE[:, 0], "b": TABLE[:, 1], "y": TABLE[:, 2]})
    data.save_to_disk(str(folder / "saved"))
    return folder / "saved"


def tensorflow_data(kind: str) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - slow to import

    data = tf.data.Dataset.from_tensor_slices((TABLE.astype(np.float32), LABELS))
    if kind == "endless":
        return data.repeat().batch(20)
    return data.shuffle(NUM).batch(7) if kind == "batches" else data


def loader() -> Any:
    import torch  # noqa: PLC0415 - slow to import
    from torch.utils.data import DataLoader, TensorDataset  # noqa: PLC0415

    images = torch.from_numpy(np.moveaxis(PIXELS, -1, 1).astype(np.float32) / 255)
    return DataLoader(TensorDataset(images, torch.from_numpy(LABELS)), batch_size=7)


def generator() -> Any:
    import tensorflow as tf  # noqa: PLC0415 - slow to import

    shape = tf.TensorSpec((4,), tf.float32), tf.TensorSpec((), tf.int64)
    pairs = list(zip(TABLE, LABELS, strict=True))
    return tf.data.Dataset.from_generator(lambda: iter(pairs), output_signature=shape)


FRAME = pd.DataFrame(
    {
        "age": [None if i % 7 == 0 else 20 + i for i in range(NUM)],
        "city": [("Zürich", "Bern", None)[i % 3] for i in range(NUM)],
        "since": pd.date_range("2020-01-01", periods=NUM),
        "income": TABLE[:, 0] * 1000,
        "kind": np.array(["no", "yes"])[LABELS],
    }
)


def table(folder: Path, ending: str = "csv", **options: Any) -> Path:
    """Write the columns of `FRAME` as people export them."""
    path = folder / f"own.{ending}"
    frame = FRAME[options.pop("columns", list(FRAME.columns))]
    if ending == "xlsx":
        frame.to_excel(path, index=False)
    elif ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, **{"index": False, **options})
    return path


def text_table(folder: Path, text: str, ending: str = "csv") -> Path:
    path = folder / f"own.{ending}"
    path.write_text(text)
    return path


TABLES: dict[str, Make] = {
    "CSV, mixed columns with gaps": lambda f: (table(f),),
    "CSV, row numbers of pandas": lambda f: (table(f, index=True),),
    "CSV with `;`, decimal commas, cp1252": lambda f: (
        table(f, sep=";", decimal=",", encoding="cp1252"),
    ),
    "TSV in UTF-16": lambda f: (table(f, "tsv", sep="\t", encoding="utf-16"),),
    "Excel": lambda f: (table(f, "xlsx"),),
    "Parquet": lambda f: (table(f, "parquet"),),
    "CSV, a number to predict": lambda f: (table(f, columns=["age", "city", "income"]),),
    "pandas, target in the frame": lambda f: (FRAME,),
    "pandas, target beside it": lambda f: (FRAME[["age", "city"]], FRAME["kind"]),
    "table without values": lambda f: (text_table(f, "a,b\n"),),
    "empty table": lambda f: (text_table(f, ""),),
    "table with a line that is too long": lambda f: (text_table(f, "a,b\n1,x\n2,y,z\n"),),
    "table with two columns of one name": lambda f: (text_table(f, "a,a,b\n1,2,x\n"),),
    "table without a target in some rows": lambda f: (text_table(f, "a,b\n1,x\n2,\n3,y\n4,NA\n"),),
    "table with a mistake among numbers": lambda f: (
        text_table(f, "a,b\n" + "".join(f"{i},x\n{i},y\n" for i in range(99)) + "7o,x\n"),
    ),
    "table with decimal points and commas": lambda f: (text_table(f, "a;b\n1.5;x\n1,5;y\n"),),
    "old Excel": lambda f: (text_table(f, "", "xls"),),
}
OWN_MODEL = f"{__name__}:{two_inputs.__name__}"
CASES: dict[str, Make] = {
    "`.npz`, table, float": lambda f: (TABLE, LABELS),
    "`.npz`, float16, big-endian, Fortran order": lambda f: (
        np.asfortranarray(TABLE.astype(">f2")),
        LABELS,
    ),
    "images, `uint8` (n, 8, 8, 3)": lambda f: (PIXELS, LABELS),
    "grey images, `uint8` (n, 8, 8)": lambda f: (PIXELS[..., 0], LABELS),
    "images as whole floats in 0..255": lambda f: (PIXELS.astype(np.float32), LABELS),
    "sequences, float (n, 20, 2)": lambda f: (RNG.normal(size=(NUM, 20, 2)), LABELS),
    "ids of words, `uint8` (n, 12)": lambda f: (
        RNG.integers(0, 60, (NUM, 12)).astype(np.uint8),
        LABELS,
    ),
    "texts (n,)": lambda f: (WORDS, LABELS),
    "several inputs": lambda f: ({"image": PIXELS, "table": TABLE}, LABELS),
    "labels as text": lambda f: (TABLE, np.array(["no", "yes"])[LABELS]),
    "labels as booleans": lambda f: (TABLE, LABELS == 1),
    "labels 1.0, 2.0": lambda f: (TABLE, LABELS + 1.0),
    "labels one-hot (n, 2)": lambda f: (TABLE, np.eye(2)[LABELS]),
    "several labels, 0 and 1 (n, 3)": lambda f: (TABLE, TABLE[:, :3] > 0),
    "numbers to predict (n,)": lambda f: (TABLE, TABLE[:, 0] * 2),
    "numbers to predict (n, 2)": lambda f: (TABLE, TABLE[:, :2] * 2),
    "folder of pictures": lambda f: (pictures(f),),
    "folder of pictures of several sizes, one damaged": lambda f: (pictures(f, (16, 16, 20), 1),),
    "folder of texts, with `train/` and `test/`": lambda f: (texts(f),),
    "Hugging Face, pictures": lambda f: (hugging_face(f, "pictures"),),
    "Hugging Face, texts": lambda f: (hugging_face(f, "texts"),),
    "Hugging Face, numbers": lambda f: (hugging_face(f, "numbers"),),
    "`tf.data`, batches": lambda f: (tensorflow_data("batches"),),
    "`tf.data`, single examples": lambda f: (tensorflow_data("single"),),
    "`tf.data` from a generator": lambda f: (generator(),),
    "`DataLoader`, pictures with channels first": lambda f: (loader(),),
    "`tf.data`, endless": lambda f: (tensorflow_data("endless"),),
    "lists of different length": lambda f: ([[1, 2], [3]], [0, 1]),
    "objects": lambda f: (np.array([{}, None], object), [0, 1]),
    "a table of texts": lambda f: (np.array([["a", "b"]] * NUM), LABELS),
    "NaN in a table": lambda f: (np.where(TABLE > 2, np.nan, TABLE), LABELS),
    **TABLES,
    "`x` and `y` of different length": lambda f: (TABLE, LABELS[1:]),
    "`x` without `y`": lambda f: (TABLE,),
    "all labels equal": lambda f: (TABLE, LABELS * 0),
    "many different whole numbers as `y`": lambda f: (
        np.zeros((200, 2)),
        np.arange(200),
    ),
    "a path that does not exist": lambda f: (f / "nowhere",),
    "an empty folder": lambda f: (f,),
    "pictures that cannot be read": lambda f: (pictures(f, damaged=NUM),),
    "a file of another kind": lambda f: (__file__,),
}


def test_the_page_says_what_each_kind_of_data_does(tmp_path: Path) -> None:
    rows = [HEADING]
    for number, (kind, make) in enumerate(CASES.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        rows.append((kind, *outcome(folder, make)))

    check(PAGE, rows)


def outcome(folder: Path, make: Make) -> tuple[str, str]:
    """What a model sees of the data; and that it trains, or the sentence that refuses it."""
    try:
        x, y, x_test, y_test = (*make(folder), None, None, None)[:4]
        path = save_data(folder, x, y, x_test, y_test)
        session = {"model": OWN_MODEL} if isinstance(x, dict) else {}
        settings = PeerSettings(
            "127.0.0.1", 0, folder, data=path, target=frame_target(x, y, x_test), session=session
        )
        check_data(settings)
        described = describe_data(settings, "own", lambda note: None)
        trained = one_round(folder, settings, described)
    except (ConfigurationError, LearningError, ValueError) as error:
        sentence = str(error).replace(f"{folder}/", "").replace(str(folder), "data")
        return "", f"refused: {sentence.replace(str(Path(__file__).parent), '.')}"
    return seen(described), trained


def one_round(folder: Path, settings: PeerSettings, described: DataDescription) -> str:
    several = len(described.inputs) > 1
    model = OWN_MODEL if several else default_model(described)
    spec = SessionSpec(model=model, dataset="own", batch_size=16, **described.spec_fields)
    learner = Learner(jobs.Initialise(spec, data_config(settings, "own"), allow_code=several))
    base = learner.create_weights(jobs.CreateWeights(str(folder)))
    trained = learner.train(jobs.Train(base.path, 1, str(folder)), lambda: True)
    assert np.isfinite(trained.train_loss)
    left_out = [note for note in learner.initialised.notes if "left out" in note or "scal" in note]
    remarks = "".join(f"; {note.split(', first')[0]}" for note in left_out)
    return f"trains, model {'of your own' if several else f'`{model}`'}{remarks}"


def seen(described: DataDescription) -> str:
    inputs = [f"{given.name} {given.dtype} {given.shape}" for given in described.inputs]
    shapes = ", ".join(inputs) or str(described.input_shape)
    names = f": {', '.join(described.classes)}" if described.classes else ""
    what = {"classification": "classes", "multi-label": "labels", "regression": "numbers"}
    return f"{shapes}; {described.num_classes} {what[described.task]}{names}"
