from contextlib import asynccontextmanager

from flock.logging.auto_trace import AutoTracedMeta


class Flock(metaclass=AutoTracedMeta):
    @asynccontextmanager
    async def traced_run(self, name):
        yield name

    async def add_component(self, *args):
        return None

    async def agent(self, *args):
        return None

    async def arun(self, *args):
        return None

    async def direct_invoke(self, *args):
        return None

    async def invoke(self, *args):
        return None

    async def publish(self, *args):
        return None

    async def publish_many(self, *args):
        return None

    async def register_agent(self, *args):
        return None

    async def run_until_idle(self, *args):
        return None

    async def shutdown(self, *args):
        return None
