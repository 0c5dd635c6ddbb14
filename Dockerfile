# syntax=docker/dockerfile:1
# An image with the tested versions. PYTORCH is cpu, index (the build of Python's index, for CUDA 13), or cu128 and the like.
ARG PYTHON=3.13
FROM python:${PYTHON}-slim
ARG PYTORCH=cpu

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_CONSTRAINT=/constraints.txt
COPY constraints.txt /

# torch, torchaudio and torchvision are for one and the same CUDA, or for none; constraints.txt pins them.
# hadolint ignore=DL3013
RUN if [ "$PYTORCH" != index ]; then \
        pip install --no-deps --index-url "https://download.pytorch.org/whl/$PYTORCH" torch torchaudio torchvision; \
    fi

# The second command remembers what components there are, while this may still be written.
RUN --mount=type=bind,target=/source,rw \
    pip install "/source[av,onnx,tensorboard,tflite,transformers]" && \
    audiobench list > /dev/null

# Whatever user a container has: caches are its own.
ENV HOME=/tmp
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["audiobench"]
CMD ["--help"]
