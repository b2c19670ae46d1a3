import os
from nemo_microservices import NeMoMicroservices

# Initialize the client
client = NeMoMicroservices(
    base_url=os.environ['EVALUATOR_BASE_URL']
)

# Create an evaluation job (v1 API)
job = client.evaluation.jobs.create(
    namespace="my-organization",
    target="<my-target-namespace>/<my-target-name>",
    config="<my-config-namespace>/<my-config-name>"
)

# Get the job ID and status
job_id = job.id
print(f"Job ID: {job_id}")
print(f"Job status: {job.status}")
