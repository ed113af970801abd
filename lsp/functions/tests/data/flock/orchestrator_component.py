from pydantic import BaseModel

from flock.components import TracedModelMeta


class OrchestratorComponent(BaseModel, metaclass=TracedModelMeta):
    async def on_initialize(self, *args):
        return None

    async def on_artifact_published(self, *args):
        return None

    async def on_before_schedule(self, *args):
        return None

    async def on_collect_artifacts(self, *args):
        return None

    async def on_before_agent_schedule(self, *args):
        return None

    async def on_agent_scheduled(self, *args):
        return None

    async def on_orchestrator_idle(self, *args):
        return None

    async def on_shutdown(self, *args):
        return None


class BuiltinCollectionComponent(OrchestratorComponent):
    async def on_collect_artifacts(self, *args):
        return None


class CircuitBreakerComponent(OrchestratorComponent):
    def __init__(self, **values):
        super().__init__(**values)

    async def on_before_schedule(self, *args):
        return None

    async def on_orchestrator_idle(self, *args):
        return None


class DeduplicationComponent(OrchestratorComponent):
    def __init__(self, **values):
        super().__init__(**values)

    async def on_before_schedule(self, *args):
        return None

    async def on_before_agent_schedule(self, *args):
        return None
