"""The components that a suite may name: encoders, front ends, augmentations, methods, weights, tasks, protocols.

Each kind has a folder, and each system a file. Nothing here knows the files of a run, devices to choose, or executors.
"""

import os

# With AMX torch 2.11 to 2.14 computes bf16 convolutions of narrow maps and of groups wrongly. oneDNN reads this when it
# first computes; float32 is the same to the bit. registry/half_precision.py tests what came of it.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
