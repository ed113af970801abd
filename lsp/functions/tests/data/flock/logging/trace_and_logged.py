def traced_and_logged(func):
    def wrapper(*args, **kwargs):
        return func(*args, **kwargs)

    return wrapper
