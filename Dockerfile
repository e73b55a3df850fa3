# Kalemia's software at the versions of constraints.txt and the hashes of requirements.lock; the study stays outside (docs/running.md).
FROM python:3.11-slim-bookworm

# the index of torch's build: without a GPU, or for example https://download.pytorch.org/whl/cu130
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PYTHONUNBUFFERED=1 HOME=/tmp

WORKDIR /opt/kalemia
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" --constraint constraints.txt --no-build-isolation '.[slurm]'

WORKDIR /study
CMD ["snakemake", "--cores", "2"]
