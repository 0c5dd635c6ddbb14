"""The components that a suite may name: encoders, front ends, augmentations, methods, weights, tasks, protocols.

Each kind has a folder, and each system a file. Nothing here knows the files of a run, devices to choose, or executors.
"""

import os

# In torch 2.11 oneDNN's bf16 convolutions with AMX are wrong for narrow maps and for groups. oneDNN reads this when it
# first computes; float32 is the same to the bit. registry/half_precision.py tests what came of it.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
