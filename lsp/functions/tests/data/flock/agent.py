from flock.logging.auto_trace import AutoTracedMeta


class Agent(metaclass=AutoTracedMeta):
    async def execute(self, ctx, artifacts):
        return artifacts

    def set_max_concurrency(self, value):
        self._limit = value
