from connector.marker import MARKER_LENGTH, marker
from connector.render import display_width, pad, render_table, shorten


def test_chinese_characters_take_two_cells() -> None:
    assert display_width("客户A") == 5
    assert display_width("e\u0301") == 1
    assert pad("客户", 6) == "客户  "
    assert pad("7", 3, right=True) == "  7"


def test_columns_line_up_whatever_the_script() -> None:
    lines = render_table(["规则", "count"], [["失联", 1234], ["tier", 5]])
    assert lines == ["规则  count", "失联  1,234", "tier      5"]


def test_an_empty_table_is_its_header() -> None:
    assert render_table(["a", "b"], []) == ["a  b"]


def test_long_names_are_cut_where_a_cell_ends() -> None:
    assert shorten("上海示例有限公司", 7) == "上海示…"
    assert shorten("short", 7) == "short"


def test_a_name_cannot_look_like_a_row_of_its_own() -> None:
    assert shorten("a\nb\x1b[2J\u202ec\u2028d\t👨\u200d👩", 40) == "a b [2J c d 👨\u200d👩"


def test_a_marker_names_one_stay_and_nothing_else() -> None:
    one = marker("60001", "Accounts:1", "失联", 1)
    assert len(one) == MARKER_LENGTH
    assert one == marker("60001", "Accounts:1", "失联", 1)
    others = {
        marker("60002", "Accounts:1", "失联", 1),
        marker("60001", "Accounts:2", "失联", 1),
        marker("60001", "Accounts:1", "沉睡", 1),
        marker("60001", "Accounts:1", "失联", 2),
    }
    assert len(others | {one}) == 5
