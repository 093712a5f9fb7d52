"""What takes a while is found out once for all who ask."""

import threading

from medloop.apps.web.remembered import Remembered


class Times:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_an_answer_holds_for_its_time_and_until_it_is_forgotten():
    asked, clock = [], Times()
    known = Remembered(lambda: asked.append(1) or len(asked), 10.0, clock)
    assert [known(), known()] == [1, 1]
    clock.now = 9.9
    assert known() == 1
    clock.now = 10.1
    assert known() == 2
    known.forget()
    assert known() == 3


def test_who_asks_while_somebody_finds_out_is_given_the_last_answer():
    clock, gate, begun = Times(), threading.Event(), threading.Event()
    answers = iter(("old", "new"))

    def find():
        said = next(answers)
        if said == "new":
            begun.set()
            gate.wait(5)
        return said

    known = Remembered(find, 1.0, clock)
    assert known() == "old"
    clock.now = 2.0
    slow = threading.Thread(target=known)
    slow.start()
    assert begun.wait(5)
    assert known() == "old"
    gate.set()
    slow.join()
    assert known() == "new"


def test_what_changed_while_it_was_found_out_is_found_out_anew():
    answers = iter(("old", "new"))

    def find():
        said = next(answers)
        if said == "old":
            known.forget()
        return said

    known = Remembered(find, 60.0)
    assert [known(), known(), known()] == ["old", "new", "new"]


def test_many_who_ask_at_once_wait_for_one_answer():
    asked, gate = [], threading.Event()

    def find():
        asked.append(1)
        gate.wait(5)
        return "found"

    known, got = Remembered(find, 60.0), []
    threads = [threading.Thread(target=lambda: got.append(known())) for _ in range(8)]
    for each in threads:
        each.start()
    gate.set()
    for each in threads:
        each.join()
    assert got == ["found"] * 8
    assert len(asked) == 1
