"""Trains a model with the client that was generated from the OpenAPI document.

The client's package is on PYTHONPATH; the first argument is the service's address.
"""

import hashlib
import json
import sys

from unmask_client import Client
from unmask_client.api.checkpoints import download_checkpoint, get_checkpoint
from unmask_client.api.jobs import create_job, get_job, get_job_metrics, list_jobs
from unmask_client.api.models import create_reconstruction
from unmask_client.models import (
    DatasetChoice,
    DatasetImages,
    JobStatus,
    ModelFields,
    PretrainRequest,
    Problem,
    ReconstructionRequest,
)

with Client(base_url=sys.argv[1], raise_on_unexpected_status=True) as client:
    request = PretrainRequest(
        kind="pretrain",
        dataset=DatasetChoice(id="digits", size=64),
        model=ModelFields(depth=1, decoder_depth=1),
        batch_size=32,
        epochs=2,
    )
    job = create_job.sync(client=client, body=request, idempotency_key="generated-client")
    again = create_job.sync(client=client, body=request, idempotency_key="generated-client")
    assert again.id == job.id, "the key makes a repeated request harmless"
    while job.finished_at is None:
        job = get_job.sync(job.id, client=client, wait=10)
    assert job.status == JobStatus.SUCCEEDED, job
    assert job.progress.step == job.progress.total_steps == 4

    listed = list_jobs.sync(client=client, status=JobStatus.SUCCEEDED)
    assert [row.id for row in listed.data] == [job.id]
    series = get_job_metrics.sync(job.id, client=client)

    checkpoint = get_checkpoint.sync(job.latest_checkpoint, client=client)
    content = download_checkpoint.sync(checkpoint.id, client=client).payload.read()
    assert len(content) == checkpoint.size
    assert hashlib.sha256(content).hexdigest() == checkpoint.sha256
    part = download_checkpoint.sync(checkpoint.id, client=client, range_="bytes=8-").payload.read()
    assert part == content[8:]

    images = DatasetImages(id="digits", indices=[0, 1])
    body = ReconstructionRequest(checkpoint=checkpoint.id, dataset=images)
    shown = create_reconstruction.sync(client=client, body=body)
    refused = create_reconstruction.sync(client=client, body=ReconstructionRequest(dataset=images))
    assert isinstance(refused, Problem) and refused.errors[0].path == "checkpoint", refused

    print(json.dumps({
        "job": job.id,
        "loss": job.result["loss"],
        "steps": [step.step for step in series.steps],
        "tensors": int.from_bytes(content[:8], "little"),
        "images": len(shown.data),
    }))
