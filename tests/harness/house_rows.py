"""Rows like those of House Prices, made from a seed: mixed columns, gaps, a long-tailed target."""

import csv
import math
import random
from pathlib import Path

TARGET = "SalePrice"
COLUMNS = ("LotArea", "OverallQual", "YearBuilt", "GrLivArea", "Neighborhood", "Fence", TARGET)
_PREMIUM = {"NAmes": 0.0, "CollgCr": 0.15, "OldTown": -0.2, "NridgHt": 0.4, "Edwards": -0.1}


def house_rows(num_rows: int, seed: int) -> list[dict[str, object]]:
    """Rows with the target; a price is mostly quality, size and neighbourhood."""
    rng = random.Random(seed)  # noqa: S311 (data of a test)
    rows: list[dict[str, object]] = []
    for _ in range(num_rows):
        quality, year = rng.randint(2, 10), rng.randint(1900, 2010)
        area, lot = rng.lognormvariate(7.25, 0.3), rng.lognormvariate(9.1, 0.4)
        place = rng.choice(list(_PREMIUM))
        log_price = (
            10.2
            + 0.12 * quality
            + 0.5 * math.log(area / 1400)
            + 0.1 * math.log(lot / 9000)
            + 0.002 * (year - 1970)
            + _PREMIUM[place]
            + rng.gauss(0, 0.08)
        )
        cells = (round(lot), quality, year, round(area), place, rng.choice(["MnPrv", ""]))
        rows.append(dict(zip(COLUMNS, (*cells, round(math.exp(log_price))), strict=True)))
        if rng.random() < 0.05:
            rows[-1]["LotArea"] = ""
    return rows


def write_houses(path: Path, num_rows: int, seed: int, *, labelled: bool = True) -> Path:
    """Write rows as CSV; without the target if they are for asking."""
    columns = COLUMNS if labelled else COLUMNS[:-1]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(house_rows(num_rows, seed))
    return path
