# ssgan in a container. For a CPU:
#     docker build -t ssgan:0.1.0 .
#     docker run --rm -v "$PWD:/data" ssgan:0.1.0 train --data folder:photos
# For a GPU, with the container toolkit of its vendor:
#     docker build -t ssgan:0.1.0-cuda --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04 .
#     docker run --rm --gpus all -v "$PWD:/data" ssgan:0.1.0-cuda doctor
# The process is no root: a mounted folder must be writable by it (docker run --user "$(id -u)").
ARG BASE=python:3.11.11-slim-bookworm
FROM ${BASE}

# The C compiler makes training on a CPU with AMX faster. Images without Python, such as CUDA's,
# get that of their distribution. Versions are the distribution's.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && if ! command -v python3 >/dev/null; then \
        apt-get install --yes --no-install-recommends python3 python3-venv; \
    fi \
    && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml README.md LICENSE constraints.txt /source/
COPY src /source/src
RUN python3 -m venv /opt/ssgan \
    && /opt/ssgan/bin/pip install --no-cache-dir -c /source/constraints.txt /source \
    && rm -rf /source

RUN useradd --uid 10001 --create-home ssgan && install --directory --owner ssgan /data
USER 10001
WORKDIR /data
ENV PATH=/opt/ssgan/bin:$PATH SSGAN_CACHE=/data/.ssgan-cache PYTHONUNBUFFERED=1
# `docker run --user` may give a user without a name and a home.
ENV USER=ssgan MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["ssgan"]
CMD ["--help"]
