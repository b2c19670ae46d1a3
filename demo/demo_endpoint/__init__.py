"""A demo endpoint: an OpenAI-compatible server that replays the published answers of BFCL. It is not a model.

It exists for the demo, the tests and the benchmarks of this project: it answers the questions of the
Berkeley Function Calling Leaderboard from the possible answers inside the installed ``nvidia-bfcl`` package
(nothing of that data is copied here), and prompts that say themselves what the answer is (``plain.py``), with a set
share of wrong answers, a latency, a rate limit and faults.
"""

NOTICE = "This is a demo endpoint that replays published benchmark answers. It is not a model."
