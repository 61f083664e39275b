"""The plot of `benchmarks.configurations`: four panels over the number of peers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.configurations import Result

PANELS = (
    ("round_median_s", "Time of a round, median", "seconds on the wall", 1),
    ("cpu_s_per_peer_and_round", "CPU time, per peer and round", "seconds of one core", 1),
    ("mb_sent_per_peer_and_round", "Sent, per peer and round", "MB, messages included", 1),
    ("accuracy", "Test accuracy after the last round", "%", 100),
)
COLOURS = {2: "#0072B2", 3: "#D55E00", 4: "#009E73", 6: "#CC79A7"}
"""By cluster size; from Okabe and Ito's palette, which colour-blind people can distinguish."""
LINES = {"iid": "-", "dirichlet": "--"}
MARKERS = {1: "o", 2: "s", 3: "^"}
"""By number of tiers."""


def plot(results: "Sequence[Result]", path: Path) -> None:
    """Write the plot: colour is cluster size, shape is number of tiers, hollow is Dirichlet."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra that only plots need

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for axis, (field, title, unit, factor) in zip(axes.flat, PANELS, strict=True):
        _panel(axis, results, field, factor)
        axis.set_title(title, fontsize="medium")
        axis.set_ylabel(unit)
    figure.legend(handles=_keys(results), loc="outside lower center", ncols=5, fontsize="small")
    one = results[0]
    figure.suptitle(
        f"lenet on {one.dataset}: {one.examples} images a peer, {one.rounds} rounds, "
        "all peers on one machine"
    )
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _panel(axis: Any, results: "Sequence[Result]", field: str, factor: float) -> None:
    greatest = max(factor * getattr(r, field) for r in results)
    for size, partitioner in sorted({(r.cluster_size, r.partitioner) for r in results}):
        chosen = [r for r in results if (r.cluster_size, r.partitioner) == (size, partitioner)]
        points = sorted((r.peers, factor * getattr(r, field), r.tiers) for r in chosen)
        colour = COLOURS.get(size)
        axis.plot(
            [peers for peers, _, _ in points],
            [value for _, value, _ in points],
            color=colour,
            linestyle=LINES[partitioner],
        )
        for peers, value, tiers in points:
            face = colour if partitioner == "iid" else "white"
            axis.plot(peers, value, MARKERS[tiers], markersize=8, mec=colour, mfc=face)
    axis.set_xlabel("peers")
    axis.set_xticks(sorted({r.peers for r in results}))
    axis.set_ylim(0, 1.1 * greatest)
    axis.margins(x=0.06)
    axis.grid(alpha=0.3)


def _keys(results: "Sequence[Result]") -> list[Any]:
    """Explain the colours, lines and shapes."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an extra that only plots need

    sizes = sorted({r.cluster_size for r in results})
    tiers = sorted({r.tiers for r in results})
    grey = "#444444"
    return [
        *(Line2D([], [], color=COLOURS.get(s), lw=3, label=f"clusters of {s}") for s in sizes),
        Line2D([], [], color=grey, marker="o", label="iid"),
        Line2D([], [], color=grey, marker="o", mfc="white", ls="--", label="Dirichlet"),
        *(
            Line2D([], [], color=grey, marker=MARKERS[t], ls="", label=f"{t} tier{'s'[: t > 1]}")
            for t in tiers
        ),
    ]
