"""BLEU and ROUGE that examples 10, 14 and 15 expect are what the libraries' own commands print for the same texts."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.examples import EXAMPLES

FOLDERS = ["14-similarity", "15-cached-outputs"]


def rows(folder: str) -> list[dict[str, Any]]:
    (text,) = yaml.safe_load((EXAMPLES / folder / "rows.yaml").read_text())["data"].values()
    found: list[dict[str, Any]] = (
        json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    )
    return found


def texts(folder: str) -> tuple[list[str], list[str]]:
    """Answers and references: the demo endpoint repeats, cached outputs have both."""
    found = rows(folder)
    if "response" in found[0]:
        return [row["response"] for row in found], [row["input"]["ideal_response"] for row in found]
    return [row["prompt"].removeprefix("Repeat: ") for row in found], [row["ideal_response"] for row in found]


def wanted(folder: str) -> dict[str, float]:
    scores: dict[str, float] = yaml.safe_load((EXAMPLES / folder / "expect.yaml").read_text())["expect"]["scores"]
    return scores


def command(*words: str) -> str:
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=True, timeout=50).stdout


@pytest.fixture
def files(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, Path]:
    answers, references = texts(request.param)
    answer_file, reference_file = tmp_path / "answers.txt", tmp_path / "references.txt"
    answer_file.write_text("\n".join(answers) + "\n")
    reference_file.write_text("\n".join(references) + "\n")
    return request.param, answer_file, reference_file


@pytest.mark.parametrize("files", FOLDERS, indirect=True)
def test_bleu(files: tuple[str, Path, Path]) -> None:
    folder, answers, references = files
    printed = command("sacrebleu", str(references), "--input", str(answers), "--score-only", "--width", "12")
    assert wanted(folder)["texts/bleu/bleu_score"] == pytest.approx(float(printed), abs=1e-11)


def test_completion_has_the_same_texts_and_sacrebleus_scores_of_its_sentences(tmp_path: Path) -> None:
    found = rows("10-completion")
    assert ([row["prompt"] for row in found], [row["reference"] for row in found]) == texts("14-similarity")
    similar = {name.split("/", 1)[1]: value for name, value in wanted("14-similarity").items()}
    completion = wanted("10-completion")
    assert completion["texts/bleu/corpus"] == similar["bleu/bleu_score"]
    assert {name: value for name, value in similar.items() if name.startswith("rouge/")} == {
        name.removeprefix("texts/"): value for name, value in completion.items() if "/rouge/" in name
    }
    answers, references = tmp_path / "answers.txt", tmp_path / "references.txt"
    answers.write_text("".join(f"{row['prompt']}\n" for row in found))
    references.write_text("".join(f"{row['reference']}\n" for row in found))
    printed = command(
        "sacrebleu", str(references), "--input", str(answers), "--sentence-level", "--score-only", "--width", "12"
    )
    sentences = [float(line) for line in printed.split()]
    assert len(sentences) == len(found)
    assert completion["texts/bleu/sentence"] == pytest.approx(sum(sentences) / len(found), abs=1e-9)


@pytest.mark.parametrize("files", FOLDERS, indirect=True)
def test_rouge(files: tuple[str, Path, Path]) -> None:
    folder, answers, references = files
    output = answers.with_name("scores.csv")
    command(
        "rouge_score.rouge",
        *(f"--target_filepattern={references}", f"--prediction_filepattern={answers}"),
        *(f"--output_filename={output}", "--use_stemmer=true", "--aggregate=false", "--delimiter=\n"),
        "--rouge_types=rouge1,rouge2,rouge3,rougeL",
    )
    with output.open() as file:
        lines = [line for line in csv.DictReader(file) if line["id"].isdigit()]
    assert len(lines) == len(texts(folder)[0])
    for name, column in (("1", "rouge1"), ("2", "rouge2"), ("3", "rouge3"), ("L", "rougeL")):
        mean = sum(float(line[f"{column}-F"]) for line in lines) / len(lines)
        assert wanted(folder)[f"texts/rouge/rouge_{name}_score"] == pytest.approx(mean, abs=1e-5)
