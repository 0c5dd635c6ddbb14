"""The components that a suite may name: encoders, front ends, augmentations, methods, weights, tasks, protocols.

Each kind has a folder, and each system a file. Nothing here knows the files of a run, devices to choose, or executors.
"""
