# syntax=docker/dockerfile:1
# Heard in a container: `docker build -t heard .`, then see deploy/compose.yaml.

FROM python:3.11-slim AS build
# constraints.txt pins torch==2.13.0. On x86-64 pip may choose its build for GPUs, which is gigabytes larger and
# never used here. If your index keeps CPU builds apart, name it: --build-arg PIP_EXTRA_INDEX_URL=<address>; a
# wheel 2.13.0+cpu meets the pin and is preferred. pip ignores the variable while it is empty.
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/heard
ENV PATH=/opt/heard/bin:$PATH
WORKDIR /src

# What changes rarely first: an edit of the source does not install torch again.
COPY pyproject.toml constraints.txt ./
RUN pip install --constraint constraints.txt hatchling editables \
 && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
    > /tmp/requirements.txt \
 && pip install --constraint constraints.txt --requirement /tmp/requirements.txt

COPY . .
RUN pip install --no-deps --no-build-isolation . \
 && pip uninstall --yes hatchling editables \
 && python -m compileall -q /opt/heard/lib

FROM python:3.11-slim
# PYTHONSAFEPATH: our folders have plain names (config, responder); nothing in the current folder may take their place.
ENV PATH=/opt/heard/bin:$PATH \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HEARD_HOME=/data \
    HOME=/tmp
RUN useradd --system --uid 10001 --no-create-home --home-dir /data heard \
 && install --directory --owner=heard --mode=0700 /data
COPY --from=build /opt/heard /opt/heard
COPY LICENSE NOTICE /usr/share/doc/heard/

USER heard
WORKDIR /data
# All that is kept. The rest may be mounted read-only; only /tmp must take a file now and then.
VOLUME /data
# Python ends in good order on SIGINT. Any other death is as safe, but slower to be noticed.
STOPSIGNAL SIGINT
# Ready means that the desk and the store answer. A container that runs only some stages has no desk: switch this off there.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-c", "import os, urllib.request; port = os.environ.get('HEARD_DESK__LISTEN', '127.0.0.1:8400').rpartition(':')[2]; urllib.request.urlopen(f'http://127.0.0.1:{port}/readyz', timeout=8)"]
ENTRYPOINT ["heard"]
CMD ["up"]
