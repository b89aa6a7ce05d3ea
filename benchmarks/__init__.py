"""Speed and memory, as ratios against a named rival measured in the same run: `python -m benchmarks`."""
