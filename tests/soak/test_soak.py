import pytest

from tests.soak.__main__ import soak, sources
from tests.soak.mutate import mutated

FILES_IN_CI = 1000  # a tenth of what `make soak` reads


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_broken_dicom_files_never_end_in_a_traceback_a_hang_or_2_gb():
    tally = soak(FILES_IN_CI, seed=1)
    assert tally.files == FILES_IN_CI
    assert tally.troubles == []
    assert tally.images > FILES_IN_CI / 10  # or the mutations leave nothing to read


def test_the_same_number_breaks_a_file_the_same_way():
    originals = sources()
    assert mutated(originals, seed=1, number=7) == mutated(originals, seed=1, number=7)
    assert mutated(originals, seed=1, number=7) != mutated(originals, seed=2, number=7)
