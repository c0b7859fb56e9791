# The service on a CPU, as a user without rights. docs/serving.md says how to run it.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/leukoscope
ENV PATH=/opt/leukoscope/bin:$PATH
WORKDIR /source
# First what changes seldom: torch for the CPU is a tenth of the one with CUDA.
COPY constraints.txt .
RUN pip install --constraint constraints.txt \
        --index-url https://download.pytorch.org/whl/cpu torch torchvision
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --constraint constraints.txt '.[postgresql]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin leukoscope \
    && install -d -o leukoscope -g leukoscope /data
COPY --from=build /opt/leukoscope /opt/leukoscope
ENV PATH=/opt/leukoscope/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    LEUKOSCOPE_CACHE=/tmp/leukoscope \
    LEUKOSCOPE_DATA=/data \
    LEUKOSCOPE_HOST=0.0.0.0 \
    LEUKOSCOPE_KEYS=/data/keys.csv
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["leukoscope"]
CMD ["serve"]
