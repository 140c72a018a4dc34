"""What a client learns of the gateway's own health; the last of all checks, as they take a store away."""

from check import ask, check, equal

COMPONENTS = ["database", "queue", "results_object_store", "task_object_store"]


@check
def a_healthy_gateway_says_so(world):
    health = world.client.health_check()
    equal(health["status"], "healthy")
    equal([health["components"][name] for name in COMPONENTS], ["healthy"] * 4)
    equal(world.client.is_healthy(), True)


@check
def a_gateway_without_its_store_says_which(world):
    ask("take a store away")
    health = world.client.health_check()
    equal(health["status"], "unhealthy")
    equal("unhealthy" in health["components"].values(), True)
    equal(world.client.is_healthy(), False)

