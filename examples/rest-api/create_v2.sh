curl -X "POST" "${EVALUATOR_BASE_URL}/v2/evaluation/jobs" \
    -H 'accept: application/json' \
    -H 'Content-Type: application/json' \
    -d '{
        "spec": {
            "target": {
                "name": "<my-target-name>",
                "namespace": "<my-target-namespace>",
                "type": "model",
                "model": {
                    "api_endpoint": {
                        "url": "http://nemo-nim-proxy:8000/v1/chat/completions",
                        "model_id": "meta/llama-3.1-8b-instruct"
                    }
                }
            },
            "config": {
                "name": "<my-config-name>",
                "namespace": "<my-config-namespace>",
                "type": "bfclv3",
                "params": {
                    "limit_samples": 10
                },
                "tasks": {
                    "task1": {
                        "type": "simple"
                    }
                }
            }
        }
    }'
