"""InputSpec: one input of a model that takes several, or that takes text."""

import re
from dataclasses import dataclass

INPUTS_MAX = 16
AXES_MAX = 8
DTYPES = ("float32", "int32", "string")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input: its name in the model, the shape of one example, and its type."""

    name: str
    shape: tuple[int, ...]
    """Without the batch axis; () means one value, as for a text."""
    dtype: str = "float32"
    """One of `DTYPES`; `string` is text, for models that begin with a vectorising layer."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "an input's name must have 1 to 64 letters, digits or any of _ . -, "
                f"got {self.name!r:.80}"
            )
        if len(self.shape) > AXES_MAX or min(self.shape, default=1) < 1:
            raise ValueError(
                f"input {self.name!r} must have at most {AXES_MAX} axes of positive size, "
                f"got {self.shape}"
            )
        if self.dtype not in DTYPES:
            raise ValueError(
                f"input {self.name!r} must be one of {', '.join(DTYPES)}, got {self.dtype!r:.40}"
            )


def check_inputs(inputs: tuple[InputSpec, ...]) -> None:
    """Check the inputs of a session against each other.

    Raises:
        ValueError: There are too many, or two have the same name.
    """
    if len(inputs) > INPUTS_MAX:
        raise ValueError(f"inputs must be at most {INPUTS_MAX}, got {len(inputs)}")
    names = [given.name for given in inputs]
    if len(set(names)) < len(names):
        raise ValueError(f"names of inputs must differ, got {', '.join(names)}")
