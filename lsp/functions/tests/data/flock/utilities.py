from flock.components import AgentComponent


class MetricsUtility(AgentComponent):
    async def on_pre_evaluate(self, *args):
        return None

    async def on_post_evaluate(self, *args):
        return None
