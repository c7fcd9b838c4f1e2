"""Routes: which one a number takes, and how the caller is shown."""

import pytest

from appliance.config import Route
from appliance.telephony.ari_messages import Party
from appliance.telephony.routes import callee_number, caller_id, find_route

ROUTES = (Route("100", "en", "de", "PJSIP/ben"), Route("1001", "en", "fr", "PJSIP/cleo"))


@pytest.mark.parametrize(("number", "callee"), [("100", "PJSIP/ben"), ("1001", "PJSIP/cleo")])
def test_a_number_takes_its_own_route(number: str, callee: str) -> None:
    route = find_route(ROUTES, number)
    assert route is not None
    assert route.callee == callee


@pytest.mark.parametrize("number", ["", "10", "10011", "1O0"])
def test_a_number_that_nobody_has_takes_none(number: str) -> None:
    assert find_route(ROUTES, number) is None


@pytest.mark.parametrize(
    ("caller", "shown"),
    [
        (Party("Ann Lee", "0301234"), '"Ann Lee" <0301234>'),
        (Party("", "0301234"), '"" <0301234>'),
        (Party('A "B" <c>\r\n', "1"), '"A B c" <1>'),
    ],
)
def test_the_callee_sees_who_calls(caller: Party, shown: str) -> None:
    assert caller_id(caller) == shown


@pytest.mark.parametrize(
    ("callee", "number"), [("PJSIP/5511999990000@pbx", "5511999990000"), ("PJSIP/ben", "ben"), ("PJSIP/4711", "4711")]
)
def test_a_callee_has_the_number_that_is_dialled_for_it(callee: str, number: str) -> None:
    assert callee_number(callee) == number
