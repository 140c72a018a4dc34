"""What a client does with models, deployments and on-demand configurations."""

from check import check, contains, equal, refused


def names(listed):
    return [model["name"] for model in listed]


@check
def models_are_listed(world):
    models = world.client.get_models()
    equal(sorted(models), ["on_demand", "running"])
    contains(names(models["running"]), world.model)
    own = next(model for model in world.client.get_models(verbose=True)["running"] if model["name"] == world.model)
    equal(own["runtime"]["api_version"], "0.3.0")


@check
def a_model_is_shown(world):
    client = world.client
    short = client.get_model()
    equal([short["name"], short["is_running"]], [world.model, True])
    full = client.get_model(world.model, verbose=True)
    equal([full["deployment_type"], full["model_type"]], ["static", full["runtime"]["model_type"]])
    equal(client.get_model_info(world.model), full["runtime"])
    equal(sorted(client.get_model_info()), ["api_version", "labels", "model_card", "model_description", "model_type"])


@check
def a_model_is_deployed_used_and_removed(world):
    client, name = world.client, world.own("deployed")
    answer = client.deploy_model(name, model_uri="s3://models/of-this-test", ttl=3600)
    equal(answer["message"], f"Model '{name}' deployed successfully")
    equal([answer["model_uri"], answer["container_name"], answer["ttl"]], ["s3://models/of-this-test", name, 3600])
    equal(len(answer["container_id"]), 64)
    # The task is taken before the server is ready.
    equal(client.process("Hello there", model_name=name)["text"], "Hello there")
    equal(client.get_model(name)["uri"], "s3://models/of-this-test")
    contains(refused(409, client.deploy_model, name, model_uri="s3://models/another"), "already running")
    removed = client.remove_model(name)
    equal([removed.status_code, removed.content], [204, b""])
    equal(removed.headers.get("connection"), "close")
    equal(refused(404, client.remove_model, name), f"Container for model '{name}' not found")
    equal(client.remove_model(name, force=True).status_code, 204)


@check
def a_model_is_deployed_by_its_run(world):
    client, name = world.client, world.own("tracked")
    if world.tracked is None:
        contains(str(refused(422, client.deploy_model, name, tracking_id="a-run")), "tracking_id")
        return
    equal(refused(404, client.deploy_model, name, tracking_id="0" * 32), f"Model not found for tracking ID '{'0' * 32}'.")
    answer = client.deploy_model(name, tracking_id=world.tracked["run_id"])
    equal(answer["model_uri"], world.tracked["uri"])
    equal(client.remove_model(name, force=True).status_code, 204)


@check
def wrong_deployments_are_http_errors(world):
    client = world.client
    contains(refused(400, client.deploy_model, "-wrong", model_uri="s3://m"), "Invalid model name.")
    contains(refused(400, client.deploy_model, world.own("none")), "At least one of `tracking_id` or `model_uri`")
    contains(refused(409, client.deploy_model, world.model, model_uri="s3://m"), "already running")


@check
def configurations_are_made_read_and_listed(world):
    client, name = world.client, world.own("later")
    deploy = {"resources": {"limits": {"memory": "256m", "cpus": "0.5"}}}
    made = client.create_on_demand_config(name, model_uri="s3://models/1", idle_ttl=600, description="One é", deploy=deploy)
    equal(made, client.get_on_demand_config(name))
    equal([made["model_name"], made["model_uri"], made["idle_ttl"], made["enabled"]], [name, "s3://models/1", 600, True])
    equal([made["description"], made["deploy"]], ["One é", deploy])
    contains(made["created_at"], "T")
    listed = client.list_on_demand_configs()
    equal(listed["total"], len(listed["configs"]))
    contains(listed["configs"], made)
    contains(names(client.get_models()["on_demand"]), name)
    equal(refused(409, client.create_on_demand_config, name, model_uri="s3://m", replace_enabled=False),
          f"An enabled on-demand config for '{name}' already exists")
    contains(refused(400, client.create_on_demand_config, world.own("none")), "model_uri is required")
    refused(422, client.create_on_demand_config, name, model_uri="s3://m", idle_ttl=0)


@check
def configurations_are_changed_in_place(world):
    client, name = world.client, world.own("later")
    before = client.get_on_demand_config(name)
    changed = client.update_on_demand_config(name, description="Other", idle_ttl=300)
    equal([changed["id"], changed["description"], changed["idle_ttl"]], [before["id"], "Other", 300])
    cleared = client.update_on_demand_config(name, clear_description=True, clear_idle_ttl=True, clear_tracking_id=True, clear_deploy=True)
    equal([key for key in ("description", "deploy", "tracking_id") if key in cleared], [])
    contains(refused(404, client.update_on_demand_config, world.own("nobody"), model_uri="s3://m"), "No enabled on-demand config found")


@check
def configurations_have_a_history_and_are_enabled_again(world):
    client, name = world.client, world.own("later")
    first = client.get_on_demand_config(name)
    second = client.create_on_demand_config(name, description="Two")
    equal([second["model_uri"], second["description"]], ["s3://models/1", "Two"])
    history = client.get_on_demand_config_history(name)
    equal([history["total"], [each["id"] for each in history["configs"]]], [2, [second["id"], first["id"]]])
    enabled = client.enable_on_demand_config(first["id"])
    equal([enabled["id"], enabled["enabled"]], [first["id"], True])
    equal(client.get_on_demand_config(name)["id"], first["id"])
    everything = client.list_on_demand_configs(include_disabled=True)["configs"]
    equal(sorted(each["enabled"] for each in everything if each["model_name"] == name), [False, True])
    equal(refused(404, client.enable_on_demand_config, 987654), "On-demand config '987654' not found")
    equal(refused(404, client.get_on_demand_config_history, world.own("nobody")),
          f"No on-demand configurations found for '{world.own('nobody')}'")


@check
def a_task_has_its_model_deployed(world):
    client, name = world.client, world.own("later")
    equal(client.process("Wake up", model_name=name)["text"], "Wake up")
    equal(client.get_model_info(name)["model_type"], "medcat_umls")
    contains(names(client.get_models()["running"]), name)


@check
def configurations_are_disabled_and_leave_the_server(world):
    client, name = world.client, world.own("later")
    equal(client.delete_on_demand_config(name).status_code, 204)
    equal(refused(404, client.get_on_demand_config, name), f"No enabled on-demand config found for '{name}'")
    refused(404, client.delete_on_demand_config, name)
    contains(names(client.get_models()["running"]), name)
    equal(client.remove_model(name).status_code, 204)
