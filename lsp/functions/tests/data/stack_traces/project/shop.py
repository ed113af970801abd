import asyncio
import concurrent.futures


class Shop:
    def price(self, item):
        return {"tea": 3}[item] / (
            item.count("x")
        )

    def total(self, items):
        return sum(self.price(item) for item in items)

    def checked(self, items):
        try:
            return self.total(items)
        except KeyError as error:
            raise ValueError("no price\n  File \"/fake.py\", line 1, in fake\nfor it") from error

    def twice(self, items):
        try:
            return self.checked(items)
        except ValueError:
            return self.missing


def depth(n):
    return depth(n + 1)


async def fail(n):
    await asyncio.sleep(0)
    raise RuntimeError(n)


async def group():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail(1))
        tasks.create_task(fail(2))
