"""The interface does what its description says, and nothing that is sent to it breaks it."""

from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_answer_is_one_that_is_described(
    serving: Callable[..., str], mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_url(f"{serving()}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue  # without anything that could be wrong

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=10, database=None, suppress_health_check=list(HealthCheck))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        check()
        tried += 1
    assert tried > 4
