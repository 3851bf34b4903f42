"""Whatever a name in the specs was made of, a file of the output lies below its folder."""

from __future__ import annotations

import pytest

from c360gen.emit.files import File


@pytest.mark.parametrize("path", ["../x.sql", "tests/../../x.sql", "/x.sql", ""])
def test_no_file_lies_beside_the_output(path: str) -> None:
    with pytest.raises(ValueError, match="does not lie below the output"):
        File(path, "")
