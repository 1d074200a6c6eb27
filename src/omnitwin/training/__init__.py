"""Run a recipe into a folder: the loop, its steps, what a run keeps, and the exam that chooses its best weights."""
