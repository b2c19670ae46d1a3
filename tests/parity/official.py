"""Run the official commands, ``bfcl generate`` and ``bfcl evaluate``, over several categories in one process.

    python official.py --url http://127.0.0.1:8000/v1/chat/completions --out DIR --native true --model M simple multiple

This calls the very functions behind the two commands, with the arguments that the commands give them, one category
at a time: the package takes 10 s to import, and its ``--limit`` is applied after all categories are put together.
``{category}`` in the model's name is filled in. Results are below ``DIR/<category>/result`` and
``DIR/<category>/score``, as the commands write them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from types import SimpleNamespace


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--native", choices=["true", "false"], required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--multi-turn-limit", type=int, default=0)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("categories", nargs="+")
    arguments = parser.parse_args()
    from bfcl._llm_response_generation import main as generate
    from bfcl.eval_checker.eval_runner import main as evaluate

    model_args = f"base_url={arguments.url},native_calling={arguments.native}"
    with Path(os.devnull).open("w") as quiet, contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        for category in arguments.categories:
            # A directory for each category: an evaluation reads every result below its directory.
            directory = arguments.out / category
            model = arguments.model.format(category=category)
            generate(
                SimpleNamespace(
                    model=[model],
                    model_mapping="oai",
                    model_args=model_args,
                    test_category=[category],
                    temperature=0.001,
                    include_input_log=False,
                    exclude_state_log=False,
                    num_gpus=1,
                    num_threads=arguments.threads,
                    gpu_memory_utilization=0.9,
                    backend="vllm",
                    skip_server_setup=False,
                    result_dir=str(directory),
                    allow_overwrite=False,
                    run_ids=False,
                    limit=arguments.multi_turn_limit if category.startswith("multi_turn") else arguments.limit,
                )
            )
            evaluate([model], "oai", [category], False, str(directory), str(directory), model_args)


if __name__ == "__main__":
    main()
