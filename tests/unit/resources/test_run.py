"""What a job may say of its pod."""

import pytest
from pydantic import ValidationError

from evaluation_operator.resources.run import Volume


@pytest.mark.parametrize(
    "path", ["/data", "/models/a/b-c_d.e", "/cache/.cache/..2026", "/data/x..y", "/data/..a", "/data/a./b"]
)
def test_a_volume_is_mounted_under_one_of_three_folders(path: str) -> None:
    assert Volume.model_validate({"name": "v", "mountPath": path, "emptyDir": {}}).mount_path == path


@pytest.mark.parametrize(
    "path",
    ["/etc", "data", "/data/", "/database", "/data//x", "/data/..", "/data/../etc", "/data/a/./b", "/data/a/../../x"],
)
def test_it_cannot_be_mounted_anywhere_else(path: str) -> None:
    with pytest.raises(ValidationError, match="mountPath"):
        Volume.model_validate({"name": "v", "mountPath": path, "emptyDir": {}})
