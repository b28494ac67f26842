"""`make mutations` takes minutes; that its mutations still fit the code is told here at once."""

from pathlib import Path

import pytest
from equations.mutations import MUTATIONS, ROOT, Mutation, apply


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "_"))
def test_mutation_applies_and_changes_the_code(mutation: Mutation, tmp_path: Path) -> None:
    source = ROOT / "pgbench" / mutation.file
    copy = tmp_path / "pgbench" / mutation.file
    copy.parent.mkdir(parents=True)
    copy.write_text(source.read_text())
    apply(mutation, tmp_path)
    assert copy.read_text() != source.read_text()
    compile(copy.read_text(), str(copy), "exec")
    assert (ROOT / mutation.first).exists()
