"""Calls a client of either class in the same way, and remembers what of it was used."""

import asyncio
import inspect

from cogstack_model_gateway_client import GatewayClient, GatewayClientSync


def public_names(kind):
    return sorted(name for name in dir(kind) if not name.startswith("_"))


class Recorder:
    """A client whose methods all answer at once: those of the asynchronous class run on one loop, as in a program of
    their own, and those of the other start a loop for each call, as they do."""

    used = set()
    loop = asyncio.new_event_loop()

    def __init__(self, kind, *args, **options):
        client = kind(*args, **options)
        object.__setattr__(self, "client", client)
        if isinstance(client, GatewayClient):
            self.loop.run_until_complete(client.__aenter__())

    def __getattr__(self, name):
        Recorder.used.add(name)
        found = getattr(self.client, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **options: self.loop.run_until_complete(found(*args, **options))

    def __setattr__(self, name, value):
        Recorder.used.add(name)
        setattr(self.client, name, value)

    def at_once(self, calls):
        """Calls that a program makes side by side; the synchronous class has none."""
        if isinstance(self.client, GatewayClientSync):
            return [getattr(self, name)(*args, **options) for name, args, options in calls]

        async def gathered():
            return await asyncio.gather(*(getattr(self.client, name)(*args, **options) for name, args, options in calls))

        return self.loop.run_until_complete(gathered())

    def close(self):
        if isinstance(self.client, GatewayClient):
            self.loop.run_until_complete(self.client.__aexit__(None, None, None))
