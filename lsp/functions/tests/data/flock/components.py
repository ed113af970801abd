from pydantic import BaseModel
from pydantic._internal._model_construction import ModelMetaclass

from flock.logging.auto_trace import AutoTracedMeta


class TracedModelMeta(ModelMetaclass, AutoTracedMeta):
    """Both metaclasses in one."""


class AgentComponentConfig(BaseModel):
    def described(self):
        return "not traced"


class AgentComponent(BaseModel, metaclass=TracedModelMeta):
    async def on_initialize(self, *args):
        return None

    async def on_pre_consume(self, *args):
        return None

    async def on_pre_evaluate(self, *args):
        return None

    async def on_post_evaluate(self, *args):
        return None

    async def on_post_publish(self, *args):
        return None

    async def on_error(self, *args):
        return None

    async def on_terminate(self, *args):
        return None


class EngineComponent(AgentComponent):
    async def evaluate(self, *args):
        return None

    async def evaluate_batch(self, *args):
        return None

    async def fetch_conversation_context(self, *args):
        return None

    async def get_latest_artifact_of_type(self, *args):
        return None

    async def should_use_context(self, *args):
        return None
