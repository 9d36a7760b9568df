"""A shop whose products come from memory, Redis or the disk, and from the database only when they must."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel

from jarvisperf.cache import AsyncSmartCache, cached, cached_many

cache = AsyncSmartCache(os.environ.get("REDIS_URL"), os.environ.get("CACHE_DIR", "data/cache"), namespace="shop")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await cache.close()


app = FastAPI(lifespan=lifespan)


class Product(BaseModel):
    id: int
    name: str
    cents: int


class Database:
    """Stands for yours; it counts its queries."""

    def __init__(self) -> None:
        self.products = {1: Product(id=1, name="tea", cents=350), 2: Product(id=2, name="milk", cents=120)}
        self.queries = 0

    async def read(self, ids: list[int]) -> dict[int, Product]:
        self.queries += 1
        return {id: self.products[id] for id in ids if id in self.products}


database = Database()


@cached(
    ttl=600,
    jitter=0.1,  # products that were loaded together do not expire together
    stale_ttl=3600,  # while a new one is loaded, and while the database is down
    cache_errors={LookupError: 30},  # clients keep asking for products that do not exist
    tags=lambda id: [f"product:{id}"],
    key_prefix="product",
    cache=cache,
)
async def load_product(id: int) -> Product:
    found = await database.read([id])
    if id not in found:
        raise LookupError(f"there is no product {id}")
    return found[id]


@cached_many(ttl=600, jitter=0.1, tags=lambda id: [f"product:{id}"], key_prefix="price", cache=cache)
async def load_prices(ids: list[int]) -> dict[int, int]:
    return {id: product.cents for id, product in (await database.read(ids)).items()}


@app.get("/products/{id}")
async def read_product(id: int) -> Product:
    try:
        return await load_product(id)
    except LookupError as error:
        raise HTTPException(404, str(error)) from None


@app.get("/prices")
async def read_prices(ids: Annotated[list[int], Query()]) -> dict[int, int]:
    return await load_prices(ids)


@app.put("/products/{id}")
async def write_product(id: int, product: Product) -> None:
    database.products[id] = product
    await cache.invalidate_tag(f"product:{id}")


@app.get("/health")
async def read_health() -> dict[str, float | bool]:
    stats = await cache.get_stats()
    return {"hit_rate": stats["hit_rate"], "redis": stats["redis_available"]}
