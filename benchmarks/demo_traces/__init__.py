"""Synthetic traces of a documentation assistant, with real retrieval and four planted incidents.

`python -m benchmarks.demo_traces --out datasets/demo` writes the committed demo data again, byte
for byte. No language model takes part: answers are put together from the retrieved passages.
"""
