"""omnitwin in a notebook: ask the bundled network, train one of your own, and measure both.

Editors such as VS Code and Spyder run the cells below one by one; so does `python docs/notebook.py`. It needs no
download and takes less than a minute.
"""

# %% Three drawings: a character by two hands, and another character
import sys
from pathlib import Path
from tempfile import mkdtemp

import omnitwin

sys.path.insert(0, str(Path(__file__).parent))
import drawings

folder = Path(mkdtemp())
drawings.write_all(folder)
print(sorted(path.name for path in folder.rglob("*.png")))

# %% Ask the bundled network about two files
twin = omnitwin.load()
same = twin.compare(folder / "a.png", folder / "b.png")
different = twin.compare(folder / "a.png", folder / "drawings" / "gamma1.png")
print(same.verdict, round(same.probability, 4))
print(different.verdict, round(different.probability, 4))

# %% Embed many files once, then compare one with all others
paths = sorted((folder / "drawings").glob("*.png"))
query = twin.embed([folder / "a.png"])  # (1, 256) float32
others = twin.embed(paths)
probabilities = twin.probability(query, others)
for probability, path in sorted(zip(probabilities, paths, strict=True), reverse=True):
    print(f"{probability:.4f}  {path.name}")

# %% Open images to train on: characters that nobody ever wrote, so nothing is downloaded
images = omnitwin.open_images("synthetic")
print(len(images.training), "training images,", len(images.test), "test images of other characters")

# %% Train for 20 iterations. The callback sees every step that is shown; it stops the run if it returns True
losses: list[float] = []
run = omnitwin.train(
    images,
    recipe="fast",
    iterations=20,
    seed=1,
    output=folder / "run",
    callback=lambda step: losses.append(step.loss),
)
print(run.report.iteration, "iterations, loss", round(run.report.loss, 3))

# %% Measure the new network on characters that it never saw: pairs, and one-shot with 5 to choose from
result = omnitwin.evaluate(run.twin, images.test, exams=["pairs", "one-shot"], way=5, episodes=1000)
for row in result.frame():
    if row["part"] is None:  # the figures of the whole exam
        print(f"{row['exam']:9} {row['measure']:9} {row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})")

# %% Continue the run
run = omnitwin.train(resume=run.folder, iterations=25)
print(run.report.iteration, "iterations")
