"""What a suite may name: encoders, front ends, augmentations, methods, tasks and protocols.

One folder a kind, one file a system. Nothing here knows the files of a run, which device to choose, or executors.
"""
