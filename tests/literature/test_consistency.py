"""Arithmetic of printed tables: every contradiction of the DePT paper's tables and no other, and each kind by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from depthub.errors import DepthubError
from depthub.literature.consistency import findings
from depthub.literature.printed import parsed, published, read

HEAD = "table,row,data,shots,score,value\n"


def kinds(lines: str) -> list[tuple[str, str]]:
    return [(finding.kind, finding.number.text) for finding in findings(parsed(HEAD + lines, "it"))]


def test_the_dept_paper_has_these_contradictions_and_no_others() -> None:
    contradictions = findings(published("dept-2023"))
    assert Counter((finding.kind, finding.number.table) for finding in contradictions) == {
        ("average", "2"): 4,  # CoOp and CoCoOp, base and new
        ("harmonic", "2"): 1,  # MaPLe on FGVCAircraft, a slip of a digit
        ("grid", "2"): 1,  # CoOp's base on EuroSAT
        ("harmonic", "6"): 4,  # CoOp with and without DePT at 4 and 8 shots
        ("tables", "4"): 8,  # ImageNet's source accuracy in tables 3 and 4
    }
    texts = {str(finding) for finding in contradictions}
    assert "table 2, CoCoOp, average, 16 shots, new: printed 72.18, but the mean of its 11 cells is 72.05" in texts
    assert "table 2, MaPLe, fgvc_aircraft, 16 shots, H: printed 38.31, but the harmonic mean of 40.57 and 36.47 is 38.41" in texts
    assert "table 4, MaPLe+DePT, imagenet, 16 shots, source: printed 70.97, but table 3 has 73.27" in texts


def test_rounding_is_no_contradiction() -> None:
    """base 60.004 and new 80.004 print as 60.00 and 80.00; their H 68.5745 prints as 68.57."""
    assert kinds("1,A,x,16,base,60.00\n1,A,x,16,new,80.00\n1,A,x,16,H,68.58") == []
    assert kinds("1,A,x,16,base,60.00\n1,A,x,16,new,80.00\n1,A,x,16,H,68.60") == [("harmonic", "68.60")]
    assert kinds("1,A,x,16,base,60\n1,A,x,16,new,80\n1,A,x,16,H,69") == []  # without decimals


def test_averages_and_changes_by_hand() -> None:
    cells = "1,A,x,16,top1,10.00\n1,A,y,16,top1,20.00\n1,A,average,16,top1,{}\n"
    assert kinds(cells.format("15.01")) == []
    assert kinds(cells.format("15.02")) == [("average", "15.02")]
    rows = "1,A,x,,top1,10.00\n1,B,x,,top1,12.00\n1,B,x,,top1 change,{}\n"
    assert kinds(rows.format("2.01")) == []
    assert kinds(rows.format("2.10")) == [("change", "2.10")]
    assert kinds(rows.format("-2.00")) == [("change", "-2.00")]


def test_averages_of_two_tables_are_compared_only_over_the_same_data_sets() -> None:
    averages = parsed(HEAD + "1,A,average,16,target,60.00\n2,A,average,16,target,66.00\n", "it")
    assert findings(averages) == []
    assert findings(averages, {"1": "cross-dataset", "2": "domain-generalization"}) == []
    (finding,) = findings(averages, {"1": "cross-dataset", "2": "cross-dataset"})
    assert str(finding) == "table 2, A, average, 16 shots, target: printed 66.00, but table 1 has 60.00"
    cells = "1,A,x,16,top1,60.00\n1,A,average,16,top1,60.00\n2,A,{},16,top1,60.00\n2,A,average,16,top1,60.02\n"
    assert kinds(cells.format("x")) == [("average", "60.02"), ("tables", "60.02")]
    assert kinds(cells.format("y")) == [("average", "60.02")]


def test_a_grid_shows_only_where_nearly_all_cells_are_on_it() -> None:
    on = [f"1,A,set{i},16,top1,{50 + i / 30:.2f}" for i in range(60)]
    assert kinds("\n".join(on)) == []
    assert kinds("\n".join([*on, "1,A,odd,16,top1,89.35"])) == [("grid", "89.35")]
    assert kinds("\n".join(f"1,A,set{i},16,top1,{50 + i / 7:.2f}" for i in range(60))) == []  # no grid at all
    assert kinds("\n".join([*on[:20], "1,A,odd,16,top1,89.35"])) == []  # too few to tell


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row,data,value\n", "it has no column 'score'; expected table, row, data, shots, score, value"),
        (HEAD + "1,A,x,16,base,6o\n", "it, line 2: value is '6o', expected a percentage, such as 81.50"),
        (HEAD + "1,A,x,16,base,nan\n", "it, line 2: value is 'nan'"),
        (HEAD + "1,A,x,16,base,\n", "it, line 2: value is ''"),
        (HEAD + "1,A,x,16,base,60\n1,A,x,16,base,61\n", "it has table 1, A, x, 16 shots, base twice"),
        ("", "it has no column 'row'"),
    ],
)
def test_what_is_no_table_is_refused(text: str, message: str) -> None:
    with pytest.raises(DepthubError) as caught:
        parsed(text, "it")
    assert str(caught.value).startswith(message)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DepthubError, match=r"cannot read .*nowhere\.csv: No such file"):
        read(tmp_path / "nowhere.csv")
    (tmp_path / "latin.csv").write_bytes(HEAD.encode() + b"1,M\xe9thode,x,16,base,60\n")
    with pytest.raises(DepthubError, match="it is not UTF-8 text"):
        read(tmp_path / "latin.csv")
    with pytest.raises(DepthubError, match="no publication 'skiptuning'; did you mean 'skiptuning-2025'"):
        published("skiptuning")
