"""Runs every public method of one class of CMG's own client against the gateway that a line on standard input names."""

import json
import sys
from types import SimpleNamespace

import cogstack_model_gateway_client as installed

import check
import task_checks
import training_checks  # noqa: F401 - each registers its checks, in this order
import model_checks  # noqa: F401
import health_checks  # noqa: F401
from recorder import Recorder, public_names

world = SimpleNamespace(**json.loads(sys.stdin.readline()))
world.kind = getattr(installed, world.name)
world.own = lambda name: f"{world.prefix}-{name}"
world.client = Recorder(world.kind, world.url, default_model=world.model, request_timeout=60.0, polling_interval=0.1)
task_checks.start_slow(world)
check.run_all(world)
world.client.close()
check.tell(public=public_names(world.kind), used=sorted(Recorder.used))
