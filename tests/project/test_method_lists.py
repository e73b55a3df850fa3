from method_lists import PAGE, baseline_list, method_page, negative_control_list


def test_the_page_on_methods_lists_what_the_registries_declare():
    text = PAGE.read_text("utf-8")
    assert text == method_page(), "docs/method.md is not up to date; run `make generate`"
    assert negative_control_list() in text
    assert baseline_list() in text
