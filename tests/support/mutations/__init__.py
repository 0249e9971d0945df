"""Mutated inputs for every command of padkit: files, trees, lists, score files, options, weights, runs, checkpoints.

A case is a number: with the seed it determines the input, the mutation and the command. `python -m mutations 1000`
runs many; `tests/test_mutations.py` runs the first hundred. What must hold of each is in `mutations.judging`.
"""
