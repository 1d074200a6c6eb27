"""What intake may find on a page besides one drawing, in words: facts for a verdict, and for a person.

A record's `findings` hold any of them, none twice.
"""

BLANK = "blank"  # nothing at all
EMPTY_FORM = "empty form"  # lines or boxes, and nothing in them
TEXT = "text"  # a printed word, or more
SEVERAL = "several drawings"
DIRT = "dirt"  # specks, hairs and smudges alone
UNSEPARATED = "foreign marks not separable"  # something is printed over the drawing
REASONS = {  # why such a page is not judged
    BLANK: "nothing is on it",
    EMPTY_FORM: "an empty form, without a drawing",
    TEXT: "text, not one drawing",
    SEVERAL: "several drawings, not one",
    DIRT: "specks or smudges, without a drawing",
    UNSEPARATED: "marks over the drawing cannot be separated from it",
}
FINDINGS = (BLANK, EMPTY_FORM, TEXT, SEVERAL, DIRT, UNSEPARATED)
