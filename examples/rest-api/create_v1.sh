curl -X "POST" "${EVALUATOR_BASE_URL}/v1/evaluation/jobs" \
    -H 'accept: application/json' \
    -H 'Content-Type: application/json' \
    -d '{
        "namespace": "my-organization",
        "target": "<my-target-namespace>/<my-target-name>",
        "config": "<my-config-namespace>/<my-config-name>"
    }'
