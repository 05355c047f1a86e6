"""Writes the tables of docs/examples/ again, from the data that come with scikit-learn: `python -m docs.examples.make`."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import sklearn.datasets as sets

FOLDER = Path(__file__).parent


def write(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Writes the files; gives the inputs and the targets (classes, or numbers) that scikit-learn has for each."""
    iris, wine, cancer = (load() for load in (sets.load_iris, sets.load_wine, sets.load_breast_cancer))
    diabetes, linnerud = sets.load_diabetes(scaled=False), sets.load_linnerud()
    species, names = iris.target_names[iris.target], ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    frame = pd.DataFrame(iris.data, columns=names)
    frame.assign(species=species).to_csv(folder / "iris.csv", index=False)
    text = frame.assign(species=["Iris-" + name for name in species]).to_csv(index=False, header=False)
    (folder / "iris.data").write_text(text + "\n")

    frame = pd.DataFrame(wine.data, columns=wine.feature_names)
    first = frame.copy()
    first.insert(0, "class", wine.target + 1)
    first.to_csv(folder / "wine.data", index=False, header=False)
    cultivars = np.array(["Barolo", "Grignolino", "Barbera"])[wine.target]
    frame.assign(cultivar=cultivars).to_csv(folder / "wine-semicolon.csv", index=False, sep=";", quoting=2)

    frame = pd.DataFrame(cancer.data, columns=cancer.feature_names)
    first = frame.copy()
    first.insert(0, "id", 842302 + 97 * np.arange(len(frame)))
    first.insert(1, "diagnosis", np.array(["M", "B"])[cancer.target])
    first.to_csv(folder / "wdbc.data", index=False, header=False)
    holes = frame.assign(diagnosis=cancer.target_names[cancer.target])
    holes.iloc[::50, 3] = np.nan
    holes.to_parquet(folder / "breast_cancer.parquet")
    whole = np.arange(len(frame)) % 50 > 0

    bundled = Path(sklearn.__file__).parent / "datasets" / "data"
    (folder / "digits.csv.gz").write_bytes((bundled / "digits.csv.gz").read_bytes())

    frame = pd.DataFrame(diabetes.data, columns=["AGE", "SEX", "BMI", "BP", "S1", "S2", "S3", "S4", "S5", "S6"])
    tab = frame.astype({"AGE": int, "SEX": int}).assign(Y=diabetes.target.astype(int))
    tab.to_csv(folder / "diabetes.tab.txt", index=False, sep="\t", lineterminator="\r\n")
    german = frame.rename(columns={"AGE": "Alter", "BP": "Blutdruck Ø"}).assign(
        **{"Fortschritt (nach 1 Jahr)": diabetes.target}
    )
    german.to_csv(folder / "diabetes-excel.csv", sep=";", decimal=",", encoding="cp1252", lineterminator="\r\n")

    exercise, measured = ((bundled / f"linnerud_{name}.csv").read_text() for name in ("exercise", "physiological"))
    lines = zip(exercise.splitlines(), measured.splitlines(), strict=True)
    with zipfile.ZipFile(folder / "linnerud.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("linnerud.csv", "".join(f"{one} {other}\n" for one, other in lines))

    digits = sets.load_digits()
    one_hot = np.hstack([frame[["AGE"]], np.eye(2)[(frame["SEX"] - 1).astype(int)], frame.iloc[:, 2:]])
    return {
        "iris.csv": (iris.data, iris.target),
        "iris.data": (iris.data, iris.target),
        "wine.data": (wine.data, wine.target),
        "wine-semicolon.csv": (wine.data, np.array([1, 2, 0])[wine.target]),  # Barbera comes first
        "wdbc.data": (cancer.data, 1 - cancer.target),  # B comes before M
        "breast_cancer.parquet": (cancer.data[whole], np.array([1, 0])[cancer.target[whole]]),  # benign before malignant
        "digits.csv.gz": (digits.data, digits.target),
        "diabetes.tab.txt": (one_hot, diabetes.target),
        "diabetes-excel.csv": (diabetes.data, diabetes.target),
        "linnerud.zip": (linnerud.data, linnerud.target),
    }


if __name__ == "__main__":
    write(FOLDER)
