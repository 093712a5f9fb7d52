"""Published differences between observers name their source and stay within reason."""

from medloop.clinical.radiotherapy.observers import OBSERVERS


def test_every_figure_names_a_paper_and_who_was_compared():
    for figures in OBSERVERS.values():
        for figure in figures:
            assert "doi:10." in figure.source
            assert figure.against


def test_both_sides_have_the_same_figures():
    assert OBSERVERS["Parotid_L"] == OBSERVERS["Parotid_R"]


def test_shares_are_shares_and_a_percentile_is_no_less_than_a_mean():
    for figures in OBSERVERS.values():
        for figure in figures:
            for share in (figure.dice, figure.conformity):
                assert share is None or 0 < share < 1
            if figure.mean_mm is not None and figure.hausdorff_95_mm is not None:
                assert figure.mean_mm <= figure.hausdorff_95_mm
