"""Optimizations that run on a GPU only; docs/performance.md says what each of them gains."""
