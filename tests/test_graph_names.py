"""Names for people from Microsoft's CSV, however it was saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.collect.graph import names, options
from bridge.errors import SettingsError
from tests.tenancy import expected
from tests.test_graph import collects, rows
from tests.watched import watched
from tools.tenant import Tenant

HEAD = (
    "Product_Display_Name,String_Id,GUID,"
    "Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names"
)
PRODUCT, PLAN = "6fd2c87f-b296-42f0-b197-1e91e994b900", "11111111-2222-3333-4444-555555555555"


def saved(place: Path, text: str, encoding: str = "utf-8") -> str:
    """Save a file and return its path."""
    path = place / "names.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_dirty_file_is_read(encoding: str, separator: str, tmp_path: Path) -> None:
    """Either separator, encoding and case, spaces of both kinds; the first name of a plan counts."""
    lines = [
        HEAD.replace("GUID", " guid\u00a0"),
        f"Büro E3\u00a0 ,X, {PRODUCT.upper()}\u00a0,P, {PLAN.upper()} ,Plän",
        f"Other,X,{PRODUCT},P,{PLAN},Later",
        f",X,{PLAN},P,{PRODUCT},",
        "short,row",
        "",
    ]
    text = "\r\n".join(line.replace(",", separator) for line in lines)
    found = names.read(saved(tmp_path, text, encoding))
    assert found.product(PRODUCT.upper(), "SKU") == "Büro E3"
    assert found.plan(PLAN, "PLAN") == "Plän"
    assert (found.product(PLAN, "SKU"), found.plan(PRODUCT, "PLAN")) == ("SKU", "PLAN")


def test_line_breaks_within_a_name_stay(tmp_path: Path) -> None:
    """A cell in quotes may hold line breaks of any kind, and keeps them; around it blanks go."""
    name = "Office\n\nE5\r\nfor\u2028all"
    text = f'{HEAD}\r\n" {name} ",X,{PRODUCT},P,{PLAN},Plan\r\n'
    assert names.read(saved(tmp_path, text)).product(PRODUCT, "SKU") == name


def test_a_path_of_blanks_is_none() -> None:
    """Blanks name no file."""
    asked = options.read({"GraphRoot": "https://graph.microsoft.com", "ProductNames": "  "})
    assert asked.names == names.Names()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column"),
        ("a,b\n1,2\n", "has no column GUID"),
        (HEAD.replace("GUID", "ID"), "column GUID"),
    ],
)
def test_another_file_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """A file without the columns is named with the parameter."""
    with pytest.raises(SettingsError, match="ProductNames") as caught:
        names.read(saved(tmp_path, text))
    assert said in str(caught.value)


def test_names_reach_the_rows(tmp_path: Path) -> None:
    """Products and plans that the file knows have its names; the others keep what Graph calls them."""
    tenant = Tenant(20)
    skus = list(tenant.skus())
    product, plan = skus[0]["skuId"], skus[1]["servicePlans"][0]["servicePlanId"]
    text = f"{HEAD}\nThe product,X,{product},P,{plan},The plan\n"
    with watched(tenant) as service:
        collected = collects(service, tmp_path, ProductNames=saved(tmp_path, text))
    assert rows(collected) == expected(tenant, names={product: "The product", plan: "The plan"})
