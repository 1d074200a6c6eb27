"""`make test-machines`: the ways cover every kind of machine, each is run as it says, and a failure of any is one."""

import pytest
from scripts import load_script

tool = load_script("tools/machines.py")
JUNIT = """<?xml version="1.0"?><testsuites><testsuite errors="1" failures="2" skipped="3" tests="10"/></testsuites>"""


def runner(codes):
    """A run of pytest that ends with the next of these codes, and what was asked of it: variables and options."""
    left, asked = list(codes), []

    def run(variables, options):
        asked.append((dict(variables), options))
        return tool.Result(code=left.pop(0), passed=7, failed=2, skipped=1, seconds=61.0)

    return run, asked


@pytest.mark.parametrize(
    ("variable", "values"),
    [
        ("ONEDNN_MAX_CPU_ISA", {"AVX2", "AVX512_CORE", "AVX512_CORE_BF16"}),
        ("ATEN_CPU_CAPABILITY", {"default"}),
        ("OMNITWIN_TEST_THREADS", {"1", "2"}),
        ("OMNITWIN_TEST_BF16", {"absent", "present"}),
    ],
)
def test_the_ways_have_every_value_and_leave_the_processor_some_of_its_own(variable, values):
    assert {way[variable] for way in tool.WAYS.values() if variable in way} == values
    assert variable.startswith("OMNITWIN") or any(variable not in way for way in tool.WAYS.values())


def test_every_way_is_run_once_with_its_variables_and_the_words_for_pytest(capsys):
    run, asked = runner([0] * len(tool.WAYS))
    assert tool.main(["-x", "tests/model", "-n", "0"], run) == 0
    assert asked == [(way, ["-x", "tests/model", "-n", "0"]) for way in tool.WAYS.values()]
    summary = capsys.readouterr().out.split("In all:\n")[1].splitlines()
    assert [words.split()[0] for words in summary] == list(tool.WAYS)
    assert all("passed: 7 passed, 2 failed, 1 skipped, 61 s; " in words for words in summary)


def test_only_the_ways_that_were_asked_for_are_run():
    run, asked = runner([0, 0])
    assert tool.main(["--only", "oldest", "--only", "avx2"], run) == 0
    assert asked == [(tool.WAYS["oldest"], []), (tool.WAYS["avx2"], [])]


@pytest.mark.parametrize("codes", [[1, 0], [0, 1], [0, 5], [0, -9]])  # 5: no test was found; -9: killed
def test_a_way_that_did_not_pass_fails_the_whole_and_the_others_are_still_run(capsys, codes):
    run, asked = runner(codes)
    assert tool.main(["--only", "avx2", "--only", "avx512"], run) == 1
    assert len(asked) == 2
    assert capsys.readouterr().out.count(f"FAILED (exit code {next(code for code in codes if code)})") == 2


def test_a_way_of_no_such_name_is_refused():
    with pytest.raises(SystemExit) as ended:
        tool.main(["--only", "abacus"], runner([])[0])
    assert ended.value.code == 2


def test_errors_count_as_failures_and_what_was_skipped_as_neither():
    assert tool.counts(JUNIT) == (4, 3, 3)


def test_a_run_of_pytest_has_the_variables_and_is_counted(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import os, pytest\n"
        "def test_variable(): assert os.environ['OMNITWIN_SAID'] == 'so'\n"
        "def test_false(): assert False\n"
        "@pytest.mark.skip\ndef test_left_out(): pass\n"
    )
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    result = tool.run_pytest({"OMNITWIN_SAID": "so"}, options)
    assert (result.code, result.passed, result.failed, result.skipped) == (1, 1, 1, 1)
