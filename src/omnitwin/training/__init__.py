"""Run a recipe into a folder: the loop, its steps, the run's files, and the exam that chooses its best weights."""
