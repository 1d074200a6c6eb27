"""Tables of images: forgiving in names and forms, strict about lines that are broken."""

import pytest

from omnitwin.data.places import list_images
from omnitwin.errors import BadInput


def table(tmp_path, text, name="list.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def listed(tmp_path, text, **fields):
    return list_images(table(tmp_path, text, **fields))


def reasons(listing):
    return {each.path: each.reason for each in listing.left_out}


def test_a_line_gives_path_and_class_and_the_rest_if_it_is_there(tmp_path):
    listing = listed(
        tmp_path,
        "path,label,split,group,source\na/1.jpg,milk,train,dairy,cam 1\nb/2.jpg,pear,test,fruit,cam 2\n",
    )
    assert listing.root == tmp_path
    milk, pear = listing.files
    assert (milk.path, milk.label, milk.split, milk.group, milk.source) == (
        "a/1.jpg",
        "milk",
        "training",
        "dairy",
        "cam 1",
    )
    assert (pear.split, pear.group) == ("test", "fruit")
    assert listing.location(milk) == tmp_path / "a/1.jpg"


@pytest.mark.parametrize(
    "head", ["image,class", "file,identity", "File Name,ID", "Image-Path,Target", "img,person", "id,class,path"]
)
def test_columns_may_be_called_otherwise(tmp_path, head):
    row = "9,milk,1.jpg" if head.startswith("id") else "1.jpg,milk"
    (file,) = listed(tmp_path, f"{head}\n{row}\n").files
    assert (file.path, file.label) == ("1.jpg", "milk")


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found(tmp_path, separator, end):
    rows = [("path", "label"), ("1.jpg", "a"), ("2.jpg", "b")]
    listing = listed(tmp_path, end.join(separator.join(row) for row in rows), name="list.tsv")
    assert listing.classes == ("a", "b")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_as_editors_and_spreadsheets_write_it(tmp_path, encoding):
    assert listed(tmp_path, "path\tlabel\nü.jpg\tfüße\n", encoding=encoding).classes == ("füße",)


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(BadInput, match="not UTF-8"):
        listed(tmp_path, "path,label\nü.jpg,é\n", encoding="latin-1")


def test_quoted_fields_may_hold_separators_quotes_and_line_ends(tmp_path):
    text = 'path,about,label\n"a, b.jpg","two\nlines","say ""a"""\nc.jpg,,d\n'
    assert {file.path: file.label for file in listed(tmp_path, text).files} == {"a, b.jpg": 'say "a"', "c.jpg": "d"}


def test_open_metric_learnings_tables_are_understood_as_they_are(tmp_path):
    text = (
        ",label,path,split,is_query,is_gallery,category,sequence,x_1,x_2,y_1,y_2\n"
        "0,7,/data/a.jpg,train,,,dresses,3,10,50,20,80\n"
        "1,8,b.jpg,validation,True,True,tops,,,,,\n"
        "2,8,c.jpg,validation,1,0,tops,4,1.0,5.0,2.0,6.0\n"
    )
    listing = listed(tmp_path, text)
    first, second, third = listing.files
    assert (first.path, first.label, first.group, first.source) == ("/data/a.jpg", "7", "dresses", "3")
    assert first.box == (10, 20, 50, 80)  # left, top, right, bottom
    assert (second.box, second.source, second.split) == (None, None, "held-out")
    assert third.box == (1, 2, 5, 6)
    assert str(listing.location(first)) == "/data/a.jpg"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",a,,,,,", "has no path"),
        ("3.jpg,,,,,,", "has no label"),
        ("3.jpg", "has no label"),
        ("3\0.jpg,a,train,,,,", "has a path with a zero byte"),
        ("3.jpg,a,someday,,,,", "is in no part of the split: it says neither train, val nor test"),
        ("3.jpg,a,train,1,2,x,4", "has a box that is none: 1, 2, x, 4"),
        ("3.jpg,a,train,1,2,,4", "has a box that is none: 1, 2, , 4"),
        ("3.jpg,a,train,inf,2,3,4", "has a box that is none: inf, 2, 3, 4"),
        ("3.jpg,a,train,nan,2,3,4", "has a box that is none: nan, 2, 3, 4"),
        ("3.jpg,a,train,5,5,5,9", "has a box without pixels: 5, 5, 5, 9"),
        ("3.jpg,a,train,-5,5,5,9", "has a box without pixels: -5, 5, 5, 9"),
        ("1.jpg,a,train,,,,", "says the same as line 2"),
        ('"3.jpg"x,a,train,,,,', "cannot be read: ',' expected after '\"'"),
    ],
)
def test_a_broken_line_is_named_and_the_others_stand(tmp_path, line, reason):
    text = f"path,label,split,x_1,y_1,x_2,y_2\n1.jpg,a,train,,,,\n{line}\n2.jpg,b,test,,,,\n"
    listing = listed(tmp_path, text)
    assert [file.path for file in listing.files] == ["1.jpg", "2.jpg"]
    assert reasons(listing) == {"line 3": reason}


def test_a_quote_that_is_never_closed_says_which_lines_it_swallows(tmp_path):
    listing = listed(tmp_path, 'path,label\n1.jpg,a\n"2.jpg,b\n3.jpg,c\n4.jpg,d\n')
    assert [file.path for file in listing.files] == ["1.jpg"]
    assert list(reasons(listing)) == ["lines 3 to 5"]


def test_empty_lines_are_no_lines(tmp_path):
    listing = listed(tmp_path, "\n\npath,label\n\n1.jpg,a\n , \n")
    assert len(listing.files) == 1
    assert not listing.left_out


def test_a_column_that_is_no_split_is_not_taken_for_one(tmp_path):
    listing = listed(tmp_path, "path,label,set\n1.jpg,a,3\n2.jpg,b,4\n")
    assert not listing.has_split
    assert "the column set names none of train, val and test" in listing.notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty file"),
        ("\n\n", "empty file"),
        ("path\n1.jpg\n", "has no column label; its first line is: path"),
        ("1.jpg,a\n2.jpg,b\n", "has no column path and no column label"),
        ("path,label\n", "lists no images"),
        ("path,label\n,a\n", "line 2 has no path"),
        ('"path,label\n', "is no table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, said):
    with pytest.raises(BadInput, match=said):
        listed(tmp_path, text)


def test_a_pattern_says_nothing_to_a_table(tmp_path):
    with pytest.raises(BadInput, match="--label-from has no effect on a table"):
        list_images(table(tmp_path, "path,label\n1.jpg,a\n"), "x")
