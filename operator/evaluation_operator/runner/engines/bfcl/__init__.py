"""The Berkeley Function Calling Leaderboard v2 and v3, with the prompts and the checkers of ``nvidia-bfcl``."""
