# syntax=docker/dockerfile:1
# An image with the tested versions. TORCH_INDEX is PyTorch's index for the CPU or for another CUDA; without it, PyTorch is
# the build of Python's index: for CUDA 13, and slower to fetch, but it runs without a GPU, too.
ARG PYTHON=3.13
FROM python:${PYTHON}-slim
ARG TORCH_INDEX=

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_CONSTRAINT=/constraints.txt
COPY constraints.txt /

# torch, torchaudio and torchvision are for one and the same CUDA, or for none; constraints.txt pins them.
# hadolint ignore=DL3013
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-deps --index-url "$TORCH_INDEX" torch torchaudio torchvision; \
    fi

# The second command remembers what components there are, while this may still be written.
RUN --mount=type=bind,target=/source,rw \
    pip install "/source[av,onnx,tensorboard,tflite,transformers]" && \
    audiobench list > /dev/null

# Whatever user a container has: caches are its own.
ENV HOME=/tmp
USER 1000:1000
WORKDIR /bench
ENTRYPOINT ["audiobench"]
CMD ["--help"]
