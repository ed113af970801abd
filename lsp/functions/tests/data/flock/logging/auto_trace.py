from flock.logging.trace_and_logged import traced_and_logged


class AutoTracedMeta(type):
    def __new__(mcs, name, bases, namespace):
        public = {key: traced_and_logged(value) for key, value in namespace.items() if key[0] != "_" and callable(value)}
        return super().__new__(mcs, name, bases, namespace | public)


def skip_trace(func):
    return func
