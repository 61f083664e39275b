"""DataDescription: what a session fixes about the data of all its peers."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from swarm.core.columns import Column
from swarm.core.errors import DataError
from swarm.core.inputs import InputSpec
from swarm.core.session import SessionSpec
from swarm.learning.image_shape import is_image_shape


@dataclass(frozen=True, slots=True)
class DataDescription:
    """Shapes, task and classes of a data set; each field is a field of `SessionSpec`."""

    input_shape: tuple[int, ...]
    """Shape of one example; () if `inputs` holds the shapes."""
    num_classes: int
    """Length of one output: classes, labels, or numbers to predict."""
    task: str = "classification"
    classes: tuple[str, ...] = ()
    """Labels as text, in the order of the outputs; empty if labels are 0, 1, 2, ..."""
    inputs: tuple[InputSpec, ...] = ()
    """Inputs of several arrays, or of text; empty for one array of numbers."""
    columns: tuple[Column, ...] = ()
    """How each site encodes its table; empty if the data is no table."""

    @classmethod
    def of_session(cls, spec: SessionSpec) -> "DataDescription":
        """What a running session fixes; a joiner reads its own data by it."""
        return cls(**{field.name: getattr(spec, field.name) for field in dataclasses.fields(cls)})

    @property
    def example_shape(self) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
        """Shape of one example; with several inputs, their shapes by name."""
        shapes = {given.name: given.shape for given in self.inputs}
        return shapes if len(shapes) > 1 else next(iter(shapes.values()), self.input_shape)

    @property
    def spec_fields(self) -> dict[str, Any]:
        """The fields of the session that a peer starts with this data."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def is_image(self) -> bool:
        """Whether one example is (height, width, channels) of at least 8 by 8."""
        return is_image_shape(self.input_shape)

    def check_fits(self, session: "DataDescription", label: str) -> None:
        """Check data against the session that it is used for.

        Args:
            session: What the session fixes.
            label: The data's name in error messages.

        Raises:
            DataError: They differ; the message names each difference.
        """
        if differences := self._differences(session):
            raise DataError(f"{label} does not fit the session: {'; '.join(differences)}")

    def _differences(self, session: "DataDescription") -> list[str]:
        found = []
        if self.task != session.task:
            found.append(f"it is for {self.task}, the session for {session.task}")
        if self.input_shape != session.input_shape:
            found.append(
                f"its examples have shape {self.input_shape}, the session's {session.input_shape}"
            )
        if self.inputs != session.inputs:
            found.append(f"its inputs are {_listed(self)}, the session's {_listed(session)}")
        few = session.task == "classification"  # a site may lack some classes
        if self.num_classes > session.num_classes or (
            not few and self.num_classes < session.num_classes
        ):
            what = "classes" if few else "outputs"
            found.append(
                f"it has {self.num_classes} {what}, the session has {session.num_classes}"
            )
        return found


def _listed(description: DataDescription) -> str:
    listed = (f"{given.name} {given.dtype}{given.shape}" for given in description.inputs)
    return ", ".join(listed) or "one array of numbers"
