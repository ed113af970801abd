from flock.components import AgentComponent


class OutputUtilityComponent(AgentComponent):
    async def on_post_evaluate(self, *args):
        return None
