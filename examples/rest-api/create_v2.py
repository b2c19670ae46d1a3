import os
from nemo_microservices import NeMoMicroservices

# Initialize the client
client = NeMoMicroservices(
    base_url=os.environ['EVALUATOR_BASE_URL']
)

# Create an evaluation job (v2 API)
job = client.v2.evaluation.jobs.create(
    spec={
        "target": {
            # example target
            "name": "<my-target-name>",
            "namespace": "<my-target-namespace>",
            "type": "<my-target-type>",
        },
        "config": {
            # example config
            "name": "<my-config-name>",
            "namespace": "<my-config-namespace>",
            "type": "<my-config-type>",
            "params": {},
        }
    }
)

# Get the job ID and status
job_id = job.id
print(f"Job ID: {job_id}")
print(f"Job status: {job.status}")
