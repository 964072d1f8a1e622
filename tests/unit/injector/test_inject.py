"""The sidecar in any pod: valid, restricted, added once, and the rest as it was."""

from __future__ import annotations

import copy
import json
import re

import jsonpatch
import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlguard_injector import CONTAINER, SidecarConfig, applied, inject
from mlguard_injector.review import answer
from mlguard_sidecar.config import Config

IMAGE = "registry.example/mlguard-sidecar:0.1.0"
CONFIG = SidecarConfig(image=IMAGE, pull_secrets=["registry"])


def pod(*containers: str, annotations=None, **spec):
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "churn-7", "labels": {"mlguard.io/inject": "true"}},
        "spec": {
            "containers": [
                {"name": name, "image": "model:1"} for name in containers or ("server",)
            ],
            **spec,
        },
    }
    if annotations:
        made["metadata"]["annotations"] = {f"mlguard.io/{k}": v for k, v in annotations.items()}
    return made


def injected(before, config=CONFIG, *, native=True, version="1.31"):
    """The patched pod, which the schema of Kubernetes allows."""
    found = inject(before, "shop", config, native=native)
    after = jsonpatch.apply_patch(before, found.patch)
    assert after == applied(before, found.patch)
    kubernetes_validate.validate(after, version, strict=True)
    again = inject(after, "shop", config, native=native)
    assert (again.patch, again.outcome) == ([], "unchanged")
    return after


def sidecar(after):
    spec = after["spec"]
    (found,) = [
        each
        for each in [*spec["containers"], *spec.get("initContainers", [])]
        if each["name"] == CONTAINER
    ]
    return found


def variables(container):
    return {each["name"]: each.get("value") for each in container.get("env", [])}


def test_a_plain_pod_gets_a_native_sidecar_and_its_containers_the_socket():
    after = injected(pod("server", "proxy"))
    assert after["spec"]["initContainers"][0] == sidecar(after)
    assert sidecar(after)["restartPolicy"] == "Always"
    assert sidecar(after)["image"] == IMAGE
    for container in after["spec"]["containers"]:
        assert {"name": "mlguard-socket", "mountPath": "/run/mlguard"} in container["volumeMounts"]
        assert variables(container) == {
            "MLGUARD_SOCKET": "/run/mlguard/mlguard.sock",
            "MLGUARD_PROJECT": "shop",
            "MLGUARD_MODEL": "churn-7",
        }
    assert after["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_before_native_sidecars_it_is_a_plain_container():
    after = injected(pod(), native=False, version="1.28")
    assert "initContainers" not in after["spec"]
    assert after["spec"]["containers"][1] == sidecar(after)
    assert "restartPolicy" not in sidecar(after)
    after = injected(pod(annotations={"native": "true"}), native=False)
    assert after["spec"]["initContainers"] == [sidecar(after)]


def test_what_is_injected_is_restricted():
    context = sidecar(injected(pod()))["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {next(iter(v.keys() - {"name"})) for v in injected(pod())["spec"]["volumes"]} == {
        "emptyDir"
    }


def test_it_neither_delays_nor_takes_out_of_service():
    container = sidecar(injected(pod()))
    assert "readinessProbe" not in container
    assert "startupProbe" not in container
    assert "preStop" not in str(container)
    slow = SidecarConfig(image=IMAGE, startup_probe=True)
    assert "startupProbe" in sidecar(injected(pod(), slow))


@pytest.mark.parametrize(
    ("metadata", "model"),
    [
        ({"name": "x"}, "x"),
        ({"generateName": "job-"}, "job"),
        (
            {
                "generateName": "churn-6d4cf56db6-",
                "labels": {"pod-template-hash": "6d4cf56db6"},
                "ownerReferences": [
                    {"kind": "ReplicaSet", "name": "churn-6d4cf56db6", "controller": True}
                ],
            },
            "churn",
        ),
        (
            {"ownerReferences": [{"kind": "Job", "name": "nightly-29384710", "controller": True}]},
            "nightly",
        ),
        (
            {
                "labels": {"rollouts-pod-template-hash": "5f6d"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "churn-5f6d"}],
            },
            "churn",
        ),
        ({"ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}, "db"),
        ({"labels": {"serving.kserve.io/inferenceservice": "fraud"}, "name": "f-1"}, "fraud"),
    ],
)
def test_a_model_is_named_after_what_owns_the_pod(metadata, model):
    before = pod()
    before["metadata"] = metadata
    found = jsonpatch.apply_patch(before, inject(before, "shop", CONFIG, native=True).patch)
    assert variables(found["spec"]["containers"][0])["MLGUARD_MODEL"] == model


def test_annotations_have_their_way():
    wishes = {
        "image": "other:2",
        "containers": "server",
        "config": "own-config",
        "baseline": "churn-baseline",
        "project": "p",
        "model": "m",
        "endpoint": "e",
        "port": "9999",
        "memory-limit": "1Gi",
        "cpu-request": "50m",
        "relay-secret": "relay",
        "api-key-secret": "keys",
    }
    after = injected(pod("server", "proxy", annotations=wishes))
    container, (server, proxy) = sidecar(after), after["spec"]["containers"]
    assert variables(server)["MLGUARD_ENDPOINT"] == "e"
    assert "volumeMounts" not in proxy
    assert container["image"] == "other:2"
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert container["resources"]["requests"]["cpu"] == "50m"
    assert "0.0.0.0:9999" in container["args"]
    assert "/etc/mlguard/config/config.yaml" in container["args"]
    secrets = [e["valueFrom"]["secretKeyRef"] for e in container["env"] if "valueFrom" in e]
    assert [each["name"] for each in secrets] == ["relay", "keys"]


def test_the_sidecar_can_read_what_it_is_told(tmp_path):
    from mlguard_common.config import load_config

    config = SidecarConfig(image=IMAGE, config={"exposition": "fleet", "socket": {"mode": "0660"}})
    text = variables(sidecar(injected(pod(annotations={"baseline": "b"}), config)))[
        "MLGUARD_CONFIG"
    ]
    found = load_config(None, Config, {"MLGUARD_CONFIG": text}, variable="MLGUARD_CONFIG")
    assert (found.exposition, found.baseline.folder) == ("fleet", "/etc/mlguard/baselines")
    assert found.socket.mode.bits == 0o660
    over = tmp_path / "config.yaml"
    over.write_text("baseline: {events: 7}\nexposition: full")
    found = load_config(over, Config, {"MLGUARD_CONFIG": text}, variable="MLGUARD_CONFIG")
    assert (found.exposition, found.baseline.events) == ("full", 7)
    assert found.baseline.folder == "/etc/mlguard/baselines"


SHARED = {"name": "mlguard-config", "projected": {"sources": []}}


def container_of(**more):
    return [{"name": "server", "image": "model:1", **more}]


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (pod(annotations={"port": "9" * 5000}), "expected a port from 1024 to 65535"),
        (pod(annotations={"port": 9600}), "mlguard.io/port: found '9600', expected a text, in quo"),
        (pod(annotations={"cpu-request": "\u0661\u0660m"}), "expected a quantity such as 96Mi"),
        (
            pod(annotations={"memory-request": "0.5Gi"}),
            "mlguard.io/memory-request: found '0.5Gi', expected at most memory-limit, '256Mi'",
        ),
        (
            pod(annotations={"memory-limit": "64M"}),
            "mlguard.io/memory-request: found '96Mi', expected at most memory-limit, '64M'",
        ),
        (
            pod(annotations={"cpu-limit": "9m"}),
            "mlguard.io/cpu-request: found '10m', expected at most cpu-limit, '9m'",
        ),
        (
            pod(containers=container_of(ports=[{"containerPort": 9520}])),
            "server has the port 9520; set mlguard.io/port to another one",
        ),
        (
            pod(annotations={"config": "churn"}, volumes=[SHARED]),
            "the volume mlguard-config is another one",
        ),
        (pod(annotations={"port": "80"}), "mlguard.io/port: found '80', expected a port from 1024"),
        (pod(annotations={"native": "yes"}), "mlguard.io/native: found 'yes', expected \"true\""),
        (pod(annotations={"containers": "srever"}), "found ['srever'], expected some of server"),
        (pod(annotations={"memory-limit": "lots"}), "expected a quantity such as 96Mi"),
        (pod(annotations={"baseline": "Not A Name"}), "the name of an object"),
        (pod(hostNetwork=True), "set mlguard.io/port to a port of its own"),
        (pod(nodeSelector={"kubernetes.io/os": "windows"}), "runs on Windows"),
        (pod(os={"name": "windows"}), "runs on Windows"),
        (
            pod(volumes=[{"name": "mlguard-socket", "configMap": {"name": "x"}}]),
            "the volume mlguard-socket is another one",
        ),
    ],
)
def test_what_does_not_fit_is_admitted_without_and_told(before, told):
    found = inject(before, "shop", CONFIG, native=True)
    assert (found.patch, found.outcome) == ([], "refused")
    assert told in found.warnings[0]


def test_without_an_image_nothing_is_injected():
    found = inject(pod(), "shop", SidecarConfig(), native=True)
    assert found.outcome == "refused"
    assert "image.repository" in found.warnings[0]


def test_a_container_that_comes_later_gets_the_socket_too():
    after = injected(pod())
    after["spec"]["containers"].append({"name": "mesh", "image": "mesh:1"})
    found = inject(after, "shop", CONFIG, native=True)
    assert found.outcome == "injected"
    again = jsonpatch.apply_patch(after, found.patch)
    assert again["spec"]["containers"][-1]["volumeMounts"]
    assert len(again["spec"]["initContainers"]) == 1


def test_a_pod_that_has_the_sidecar_needs_nothing_that_was_needed_to_inject_it():
    after = injected(pod(annotations={"port": "9600"}, hostNetwork=True))
    again = inject(after, "shop", SidecarConfig(), native=True)
    assert (again.outcome, again.warnings) == ("unchanged", ())


def test_the_socket_is_where_a_container_mounts_its_volume():
    mount = {"name": "mlguard-socket", "mountPath": "/sockets/"}
    volumes = [{"name": "mlguard-socket", "emptyDir": {}}]
    after = injected(pod(containers=container_of(volumeMounts=[mount]), volumes=volumes))
    (container,) = after["spec"]["containers"]
    assert container["volumeMounts"] == [mount]
    assert variables(container)["MLGUARD_SOCKET"] == "/sockets/mlguard.sock"


def expanded(text: str) -> str:
    """What Kubernetes makes of a variable's value, where other variables are known as well."""
    return re.sub(r"\$(\$|\(\w+\))", lambda found: "$" if found[1] == "$" else "other", text)


@pytest.mark.parametrize("secret", ["a$$b", "$(HOME)", "$$(HOME)", "$$$", "${HOME}", "$", "$a("])
def test_dollars_reach_the_sidecar_and_the_model_as_they_are(secret):
    config = SidecarConfig(image=IMAGE, config={"http": {"api_keys": [secret]}})
    after = injected(pod(annotations={"model": secret}), config)
    text = expanded(variables(sidecar(after))["MLGUARD_CONFIG"])
    assert yaml.safe_load(text)["http"] == {"api_keys": [secret]}
    assert expanded(variables(after["spec"]["containers"][0])["MLGUARD_MODEL"]) == secret


@pytest.mark.parametrize("operation", ["UPDATE", "DELETE", "CONNECT"])
def test_only_a_pod_that_is_created_is_changed(operation):
    def asked(operation: str, thing: object):
        request = {"uid": "7", "kind": {"kind": "Pod"}, "namespace": "shop", "dryRun": True}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        review["request"] = {**request, "operation": operation, "object": thing}
        return answer(json.dumps(review).encode(), CONFIG, native=True)

    assert asked("CREATE", pod()).outcome == "injected"
    for thing in (pod(), None):
        found = asked(operation, thing)
        assert found.outcome == "unchanged"
        assert json.loads(found.body)["response"] == {"uid": "7", "allowed": True}


def test_names_that_a_container_sets_itself_stay():
    before = pod()
    before["spec"]["containers"][0]["env"] = [{"name": "MLGUARD_MODEL", "value": "mine"}]
    assert variables(injected(before)["spec"]["containers"][0])["MLGUARD_MODEL"] == "mine"


def test_two_hundred_containers():
    after = injected(pod(*(f"c{i}" for i in range(200))))
    assert all(each["volumeMounts"] for each in after["spec"]["containers"])


names = st.text("abcdefgh", min_size=1, max_size=6)
values = st.text(max_size=12) | st.sampled_from(["true", "9521", "96Mi", "server", "-", " "])
keys = st.sampled_from(
    ["image", "containers", "config", "baseline", "project", "model", "endpoint", "native",
     "port", "memory-limit", "cpu-request", "relay-secret", "api-key-secret", "status", "x"]
)  # fmt: skip
mounts = st.lists(
    st.fixed_dictionaries({"name": names, "mountPath": st.sampled_from(["/data", "/x"])}),
    max_size=2,
    unique_by=lambda each: each["mountPath"],
)
containers = st.fixed_dictionaries(
    {"name": names, "image": st.just("model:1")},
    optional={
        "env": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["A", "MLGUARD_MODEL"]), "value": names}
            ),
            max_size=2,
        ),
        "volumeMounts": mounts,
    },
)
pods = st.builds(
    lambda found, first, annotations, spec: {
        **(made := pod(annotations=annotations, **spec)),
        "spec": made["spec"]
        | {"containers": found}
        | ({"initContainers": first} if first else {}),
    },
    st.lists(containers, min_size=1, max_size=4, unique_by=lambda each: each["name"]),
    st.lists(
        st.fixed_dictionaries({"name": st.text("xyz", min_size=1, max_size=5),
                               "image": st.just("i")}),
        max_size=2,
        unique_by=lambda each: each["name"],
    ),
    st.dictionaries(keys, values, max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "hostNetwork": st.booleans(),
            "volumes": st.lists(
                st.fixed_dictionaries({"name": names, "emptyDir": st.just({})}),
                max_size=2,
                unique_by=lambda each: each["name"],
            ),
        },
    ),
)  # fmt: skip


@given(pods, st.booleans())
def test_any_pod_keeps_what_it_had_and_gets_the_sidecar_once(before, native):
    kept = copy.deepcopy(before)
    found = inject(before, "shop", CONFIG, native=native)
    assert before == kept
    if found.outcome != "injected":
        assert found.outcome == "refused"
        assert found.warnings[0].startswith("no ML Guard sidecar: ")
        return
    after = injected(before, native=native)
    for was in before["spec"]["containers"]:
        (is_now,) = [c for c in after["spec"]["containers"] if c["name"] == was["name"]]
        for key in ("env", "volumeMounts"):
            assert is_now.get(key, [])[: len(was.get(key, []))] == was.get(key, [])
    assert after["spec"].get("volumes", [])[: len(before["spec"].get("volumes", []))] == before[
        "spec"
    ].get("volumes", [])
    rest = [c for c in after["spec"].get("initContainers", []) if c["name"] != CONTAINER]
    assert rest == before["spec"].get("initContainers", [])
